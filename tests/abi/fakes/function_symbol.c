/* Exports a function under the name of the data symbol. */
int entry(void) __asm__("lightswitch_plugin_entry");
int entry(void) {
  return 1;
}
