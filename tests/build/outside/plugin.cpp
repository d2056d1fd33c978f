#include <lightswitch/plugin_adapter.hpp>

#include "taming/taming.hpp"

namespace {

struct Outside : lightswitch::FamilyPlugin<lightswitch::taming::family> {
  static constexpr const char* name = "outside";
  static constexpr const char* summary = "the taming family, built elsewhere";
  static constexpr const char* version = "0.1.0";
};

}  // namespace

LIGHTSWITCH_PLUGIN(Outside)
