# Installs into a fresh prefix, copies the template and a LibTorch family out of the tree, and builds both against the prefix.
file(REMOVE_RECURSE ${WORK_DIR})
file(COPY ${SOURCE_DIR}/decoders/template DESTINATION ${WORK_DIR}/source)
file(COPY ${SOURCE_DIR}/tests/build/outside ${SOURCE_DIR}/decoders/taming DESTINATION ${WORK_DIR}/source)
file(RENAME ${WORK_DIR}/source/taming ${WORK_DIR}/source/outside/taming)
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${WORK_DIR}/prefix)
set(flags "")
if(SANITIZE)
  set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE})
endif()
# The template sees neither LibTorch nor a C++ compiler.
run(${CMAKE_COMMAND} -S ${WORK_DIR}/source/template -B ${WORK_DIR}/template -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix
    -DCMAKE_CXX_COMPILER=/nonexistent)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/template)
run(${CMAKE_COMMAND} -S ${WORK_DIR}/source/outside -B ${WORK_DIR}/outside -DCMAKE_BUILD_TYPE=Release -DTorch_DIR=${TORCH_DIR}
    -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix ${flags})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/outside)
