// A precompiled header needs a target with a source: lightswitch_make_pch().
