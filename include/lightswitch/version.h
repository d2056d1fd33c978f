/* The one place the version is written; CMakeLists.txt reads it from here. */
#ifndef LIGHTSWITCH_VERSION_H
#define LIGHTSWITCH_VERSION_H

#define LIGHTSWITCH_VERSION_MAJOR 0
#define LIGHTSWITCH_VERSION_MINOR 1
#define LIGHTSWITCH_VERSION_PATCH 0
#define LIGHTSWITCH_VERSION "0.1.0"

#endif
