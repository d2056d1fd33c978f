# Python's unit tests of tools/, run where a Python with torch is at hand: LIGHTSWITCH_REFERENCE_PYTHON.
if(NOT DEFINED ENV{LIGHTSWITCH_REFERENCE_PYTHON})
  message("SKIPPED: LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with torch")
  return()
endif()
execute_process(COMMAND $ENV{LIGHTSWITCH_REFERENCE_PYTHON} -W ignore -m unittest discover -s ${TESTS} -t ${TOP}
                WORKING_DIRECTORY ${TOP} RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "unit tests failed in ${TESTS}")
endif()
