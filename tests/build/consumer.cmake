# Installs into a fresh prefix, cuts the example out of the README, builds it against the prefix, runs it where a model ships.
file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR})

file(READ ${SOURCE_DIR}/README.md readme)
string(REGEX MATCH "```cpp\n(#include [^`]*)```" found "${readme}")
if(NOT found)
  message(FATAL_ERROR "README.md has no C++ example")
endif()
file(WRITE ${WORK_DIR}/source/main.cpp "${CMAKE_MATCH_1}")
file(COPY ${SOURCE_DIR}/tests/build/consumer/CMakeLists.txt DESTINATION ${WORK_DIR}/source)

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${WORK_DIR}/prefix)
set(flags "")
if(SANITIZE)
  set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE})
endif()
run(${CMAKE_COMMAND} -S ${WORK_DIR}/source -B ${WORK_DIR}/build -DCMAKE_BUILD_TYPE=Release -DTorch_DIR=${TORCH_DIR}
    -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix ${flags})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
if(EXISTS ${SOURCE_DIR}/models/scenes/model.json)
  run(${CMAKE_COMMAND} -E chdir ${WORK_DIR} ${WORK_DIR}/build/consumer ${SOURCE_DIR}/models/scenes)
  if(NOT EXISTS ${WORK_DIR}/boat.png)
    message(FATAL_ERROR "the example left no boat.png")
  endif()
endif()
