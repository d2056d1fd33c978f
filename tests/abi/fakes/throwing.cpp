// A plug-in in C++ that lets exceptions out of create(), as none may.
#include <lightswitch/plugin.h>

#include <stdexcept>

static int32_t create(const lightswitch_request* request, lightswitch_decoder**, lightswitch_error*) {
  if (request->option_count > 0) throw 7;
  throw std::runtime_error("thrown across the boundary");
}
static void destroy(lightswitch_decoder*) {}
static const lightswitch_spec* spec(const lightswitch_decoder*) {
  return nullptr;
}
static int32_t decode(const lightswitch_decoder*, const lightswitch_tensor*, const lightswitch_tensor*,
                      const lightswitch_stop*, lightswitch_error*) {
  return LIGHTSWITCH_INTERNAL;
}

static const lightswitch_decoder_table table{sizeof table, 0, create, destroy, spec, decode};
static const lightswitch_option options[]{{"number", "throws a number", "0"}};

const lightswitch_plugin lightswitch_plugin_entry{LIGHTSWITCH_PLUGIN_MAJOR,
                                                  LIGHTSWITCH_PLUGIN_MINOR,
                                                  sizeof(lightswitch_plugin),
                                                  1,
                                                  "throwing",
                                                  "throws",
                                                  "1.0.0",
                                                  options,
                                                  &table,
                                                  nullptr};
