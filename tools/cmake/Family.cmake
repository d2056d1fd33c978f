# One decoder family, twice from the same sources.
#   lightswitch_family(NAME SOURCES …)
# makes the static library lightswitch_decoder_NAME, and from it the plug-in lib/lightswitch/decoders/NAME.so.
set(LIGHTSWITCH_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/lightswitch/decoders)

# A plug-in of this tree: built where it lies once installed.
function(lightswitch_bundled_plugin name)
  lightswitch_add_plugin(lightswitch_plugin_${name} OUTPUT_NAME ${name} ${ARGN})
  set_target_properties(lightswitch_plugin_${name} PROPERTIES
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/lightswitch/decoders)
  target_link_libraries(lightswitch_plugin_${name} PRIVATE lightswitch_warnings)
  install(TARGETS lightswitch_plugin_${name} LIBRARY DESTINATION ${LIGHTSWITCH_PLUGIN_DIR})
endfunction()

function(lightswitch_family family)
  lightswitch_room(decoder_${family} LINKS lightswitch_nn ${ARGN})
  target_include_directories(lightswitch_decoder_${family} PRIVATE ${PROJECT_SOURCE_DIR}/decoders)

  set(plugin_source ${CMAKE_CURRENT_BINARY_DIR}/plugin.cpp)
  configure_file(${PROJECT_SOURCE_DIR}/tools/cmake/family_plugin.cpp.in ${plugin_source} @ONLY)
  lightswitch_bundled_plugin(${family} SOURCES ${plugin_source} LINKS lightswitch_decoder_${family})
  target_include_directories(lightswitch_plugin_${family} PRIVATE ${PROJECT_SOURCE_DIR}/decoders)
  lightswitch_use_pch(lightswitch_plugin_${family})
endfunction()
