# Sets lightswitch_openmp_library: the very OpenMP library that libtorch_cpu.so asks for, so that the process has one thread pool.
# Wheels bring their own copy (lib/ or ../torch.libs); other builds use the system's. Installed with the package, whose static
# libraries need it too.
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

if(LIGHTSWITCH_TORCH_OPENMP)
  set(lightswitch_openmp_library ${LIGHTSWITCH_TORCH_OPENMP})
else()
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(lightswitch_openmp_library ${OpenMP_CXX_LIBRARIES})
endif()
