# Outside packages, each asked for only by the rooms that are switched on.

find_package(Torch REQUIRED)
if(Torch_VERSION VERSION_LESS 2.6)
  message(FATAL_ERROR "LibTorch ${Torch_VERSION} found, 2.6 or newer needed: set CMAKE_PREFIX_PATH or Torch_DIR to a newer one")
endif()
find_package(nlohmann_json 3.9 REQUIRED)

# at::parallel_for is serial in our files without -fopenmp. At link time only the OpenMP library that LibTorch itself uses may
# come in: a second pool of threads would fight the first for the cores.
include(TorchOpenMP)

# Installed programs and plug-ins find LibTorch where it was found here. INSTALL_RPATH_USE_LINK_PATH would leave out build/venv:
# it takes only folders outside the project.
set(CMAKE_INSTALL_RPATH $<TARGET_FILE_DIR:torch_cpu>)

if(LIGHTSWITCH_MEDIA)
  find_package(OpenCV 4 REQUIRED COMPONENTS core imgproc imgcodecs videoio)
  find_package(PNG REQUIRED)
endif()
if(LIGHTSWITCH_TOOLS)
  if(NOT LIGHTSWITCH_MEDIA)
    message(FATAL_ERROR "LIGHTSWITCH_TOOLS needs LIGHTSWITCH_MEDIA")
  endif()
  find_package(CLI11 2.1 REQUIRED)
  find_package(spdlog 1.8 REQUIRED)
  if(LIGHTSWITCH_AUDIO)
    find_path(LIGHTSWITCH_SNDFILE_INCLUDE sndfile.h REQUIRED)
    find_path(LIGHTSWITCH_SOXR_INCLUDE soxr.h REQUIRED)
  endif()
endif()
if(LIGHTSWITCH_TESTS)
  find_package(GTest REQUIRED)
endif()
if(LIGHTSWITCH_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
