# lightswitch_add_plugin(TARGET [OUTPUT_NAME NAME] SOURCES … [LINKS …])
# makes the shared library NAME.so that exports lightswitch_plugin_entry and nothing else: whatever it was linked from, static
# libraries included, cannot meet the host's or another plug-in's symbols. Installed with the package.
function(lightswitch_add_plugin target)
  cmake_parse_arguments(plugin "" "OUTPUT_NAME" "SOURCES;LINKS" ${ARGN})
  if(NOT plugin_OUTPUT_NAME)
    set(plugin_OUTPUT_NAME ${target})
  endif()
  add_library(${target} MODULE ${plugin_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME ${plugin_OUTPUT_NAME} INSTALL_RPATH_USE_LINK_PATH TRUE)
  target_link_libraries(${target} PRIVATE lightswitch::plugin ${plugin_LINKS})
  target_link_options(${target} PRIVATE LINKER:--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
endfunction()
