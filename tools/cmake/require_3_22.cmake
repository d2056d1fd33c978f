if(CMAKE_VERSION VERSION_LESS 3.22)
  message(FATAL_ERROR "CMake 3.22 needed, ${CMAKE_VERSION} found")
endif()
