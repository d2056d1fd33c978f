/* What a plug-in of a later minor version exports: the entry with more fields behind those of today. */
#define lightswitch_plugin_entry entry_of_today
#define FAULT GOOD
#include "fake.c"
#undef lightswitch_plugin_entry

struct newer {
  lightswitch_plugin known;
  uint64_t more[4];
};
extern LIGHTSWITCH_PLUGIN_EXPORT const struct newer entry __asm__("lightswitch_plugin_entry");
const struct newer entry = {{LIGHTSWITCH_PLUGIN_MAJOR, 99, sizeof(struct newer), 2, "newer", "from the future", "9.9.9",
                             options, &table, extension},
                            {1, 2, 3, 4}};
