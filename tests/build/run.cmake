# run(COMMAND …): shows what a failing command said.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "exit ${code}: ${ARGV}\n${text}")
  endif()
endfunction()
