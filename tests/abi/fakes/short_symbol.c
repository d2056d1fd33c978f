/* Says that its entry is whole, and exports 16 bytes. */
#include <stdint.h>

extern const uint32_t entry[4] __asm__("lightswitch_plugin_entry");
const uint32_t entry[4] = {1, 0, 64, 0};
