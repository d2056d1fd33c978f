#include "harness/scenes.hpp"

namespace lightswitch::bench {

const ModelPackage& scenes() {
  static const ModelPackage package =
      ModelPackage::open(std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "models" / "scenes");
  return package;
}

}  // namespace lightswitch::bench
