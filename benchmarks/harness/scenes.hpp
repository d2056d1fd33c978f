#pragma once

#include <lightswitch/model_package.hpp>

namespace lightswitch::bench {

/// The shipped models/scenes, opened when it is first asked for.
const ModelPackage& scenes();

}  // namespace lightswitch::bench
