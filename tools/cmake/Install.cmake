# `cmake --install` gives the layout of the build folder under a prefix, with a config package for find_package(lightswitch).
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY LIGHTSWITCH_ROOMS)
install(TARGETS lightswitch_sdk lightswitch_lightswitch ${rooms} EXPORT lightswitch-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS lightswitch_plugin EXPORT lightswitch-plugin-targets)
install(EXPORT lightswitch-plugin-targets NAMESPACE lightswitch:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lightswitch)
# Decoder families elsewhere are made of the same layers as ours: #include "nn/layers.hpp", link lightswitch::nn.
install(DIRECTORY src/nn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lightswitch-nn FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY include/lightswitch DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT lightswitch-targets NAMESPACE lightswitch:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lightswitch)

configure_package_config_file(tools/cmake/lightswitch-config.cmake.in ${CMAKE_BINARY_DIR}/lightswitch-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lightswitch)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lightswitch-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lightswitch-config.cmake ${CMAKE_BINARY_DIR}/lightswitch-config-version.cmake
              tools/cmake/TorchOpenMP.cmake tools/cmake/Plugin.cmake tools/cmake/plugin.map
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lightswitch)

install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/lightswitch/models)
