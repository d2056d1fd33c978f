/* A shared library like any other. */
int lightswitch_something_else = 1;
