# One target per room.
#   lightswitch_room(NAME SOURCES … LINKS … PRIVATE_LINKS …)
# makes the static library lightswitch_NAME with the alias lightswitch::NAME and installs it. Rooms share one precompiled ATen header.

add_library(lightswitch_warnings INTERFACE)
target_compile_options(lightswitch_warnings INTERFACE -Wall -Wextra -Wshadow -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overflows inside std::string's operator+ that are not there.
  target_compile_options(lightswitch_warnings INTERFACE -Wno-stringop-overflow -Wno-restrict)
endif()
if(LIGHTSWITCH_SANITIZE)
  # -O1 -g1 compiles in half the time of RelWithDebInfo's -O2 -g, and reports name the same lines.
  add_compile_options(-fsanitize=${LIGHTSWITCH_SANITIZE} -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${LIGHTSWITCH_SANITIZE})
endif()

# What a plug-in sees: plugin.h, without LibTorch.
add_library(lightswitch_plugin INTERFACE)
add_library(lightswitch::plugin ALIAS lightswitch_plugin)
set_target_properties(lightswitch_plugin PROPERTIES EXPORT_NAME plugin)
target_include_directories(lightswitch_plugin INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

add_library(lightswitch_sdk INTERFACE)
add_library(lightswitch::sdk ALIAS lightswitch_sdk)
set_target_properties(lightswitch_sdk PROPERTIES EXPORT_NAME sdk)
target_include_directories(lightswitch_sdk INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                     $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(lightswitch_sdk INTERFACE torch_library)
target_compile_features(lightswitch_sdk INTERFACE cxx_std_20)

add_library(lightswitch_openmp INTERFACE)
target_compile_options(lightswitch_openmp INTERFACE -fopenmp)
target_link_libraries(lightswitch_openmp INTERFACE ${lightswitch_openmp_library})

#   lightswitch_make_pch(NAME HEADERS … LINKS …)
# precompiles ATen and these headers for the targets that say lightswitch_use_pch(TARGET NAME).
function(lightswitch_make_pch name)
  cmake_parse_arguments(pch "" "" "HEADERS;LINKS" ${ARGN})
  add_library(${name} STATIC ${PROJECT_SOURCE_DIR}/tools/cmake/pch.cpp)
  target_link_libraries(${name} PRIVATE lightswitch_sdk lightswitch_openmp lightswitch_warnings ${pch_LINKS})
  target_precompile_headers(${name} PRIVATE <ATen/ATen.h> ${pch_HEADERS})
endfunction()
lightswitch_make_pch(lightswitch_pch)

#   lightswitch_use_pch(TARGET [PCH])
function(lightswitch_use_pch target)
  set(pch lightswitch_pch)
  if(ARGC GREATER 1)
    set(pch ${ARGV1})
  endif()
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:lightswitch_openmp> $<BUILD_INTERFACE:lightswitch_warnings>)
  # CMake compiles programs with -fPIE, for which GCC silently ignores a precompiled header made with -fPIC.
  target_compile_options(${target} PRIVATE -fPIC)
  target_precompile_headers(${target} REUSE_FROM ${pch})
endfunction()

function(lightswitch_room name)
  cmake_parse_arguments(room "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(lightswitch_${name} STATIC ${room_SOURCES})
  add_library(lightswitch::${name} ALIAS lightswitch_${name})
  set_target_properties(lightswitch_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY LIGHTSWITCH_ROOMS lightswitch_${name})
  target_include_directories(lightswitch_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(lightswitch_${name} PUBLIC lightswitch_sdk ${room_LINKS} PRIVATE ${room_PRIVATE_LINKS})
  lightswitch_use_pch(lightswitch_${name})
endfunction()
