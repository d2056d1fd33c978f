# Target lightswitch_openmp: compiles with -fopenmp and links the very OpenMP library that libtorch_cpu.so asks for, so that the
# process has one thread pool. Wheels bring their own copy (lib/ or ../torch.libs); other builds use the system's.
get_target_property(torch_cpu_file torch_cpu IMPORTED_LOCATION_RELEASE)
if(NOT torch_cpu_file)
  get_target_property(torch_cpu_file torch_cpu IMPORTED_LOCATION)
endif()
execute_process(COMMAND ${CMAKE_READELF} -d ${torch_cpu_file} OUTPUT_VARIABLE torch_cpu_needs COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "\\[(lib(gomp|omp|iomp5)[^]]*)\\]" ignored "${torch_cpu_needs}")
set(torch_openmp_name "${CMAKE_MATCH_1}")
if(NOT torch_openmp_name)
  message(FATAL_ERROR "${torch_cpu_file} does not use OpenMP: a LibTorch built with OpenMP is needed")
endif()

get_filename_component(torch_lib_dir "${torch_cpu_file}" DIRECTORY)
find_library(LIGHTSWITCH_TORCH_OPENMP NAMES ${torch_openmp_name}
             PATHS ${torch_lib_dir} ${torch_lib_dir}/../../torch.libs NO_DEFAULT_PATH)

add_library(lightswitch_openmp INTERFACE)
target_compile_options(lightswitch_openmp INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-fopenmp>>)
if(LIGHTSWITCH_TORCH_OPENMP)
  target_link_libraries(lightswitch_openmp INTERFACE $<BUILD_INTERFACE:${LIGHTSWITCH_TORCH_OPENMP}>)
else()
  find_package(OpenMP REQUIRED)
  target_link_libraries(lightswitch_openmp INTERFACE $<BUILD_INTERFACE:OpenMP::OpenMP_CXX>)
endif()
