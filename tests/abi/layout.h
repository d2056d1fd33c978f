/* The layout of every struct that crosses the plug-in boundary, on 64-bit machines. A line that fails here is a change
 * of the boundary: fields are only ever appended, with a new minor version. Compiled as C11, C17, C++17 and C++20. */
#include <lightswitch/plugin.h>

#include <stddef.h>

#ifdef __cplusplus
#define REQUIRE(condition) static_assert(condition, #condition)
#else
#define REQUIRE(condition) _Static_assert(condition, #condition)
#endif
#define AT(type, field, offset) REQUIRE(offsetof(lightswitch_##type, field) == (offset))
#define SIZE(type, size) REQUIRE(sizeof(lightswitch_##type) == (size))

REQUIRE(LIGHTSWITCH_PLUGIN_MAJOR == 1);
REQUIRE(sizeof(void*) == 8);

AT(tensor, data, 0);
AT(tensor, shape, 8);
AT(tensor, strides, 16);
AT(tensor, stream, 24);
AT(tensor, device_type, 32);
AT(tensor, device_id, 36);
AT(tensor, ndim, 40);
AT(tensor, dtype_code, 44);
AT(tensor, dtype_bits, 45);
AT(tensor, dtype_lanes, 46);
SIZE(tensor, 48);

AT(error, struct_size, 0);
AT(error, message_capacity, 4);
AT(error, message, 8);
SIZE(error, 16);

AT(stop, struct_size, 0);
AT(stop, context, 8);
AT(stop, requested, 16);
AT(stop, subscribe, 24);
AT(stop, unsubscribe, 32);
SIZE(stop, 40);

AT(option, name, 0);
AT(option, summary, 8);
AT(option, default_value, 16);
SIZE(option, 24);

AT(pair, name, 0);
AT(pair, value, 8);
SIZE(pair, 16);

AT(request, struct_size, 0);
AT(request, arithmetic, 4);
AT(request, device_type, 8);
AT(request, device_id, 12);
AT(request, plugin_path, 16);
AT(request, weights_path, 24);
AT(request, options, 32);
AT(request, config, 40);
AT(request, option_count, 48);
AT(request, config_count, 52);
SIZE(request, 56);

AT(spec, struct_size, 0);
AT(spec, arithmetic, 4);
AT(spec, network_input, 8);
AT(spec, output_range, 12);
AT(spec, channels, 16);
AT(spec, factor, 24);
AT(spec, scaling_factor, 32);
AT(spec, shift_factor, 40);
AT(spec, parameters, 48);
AT(spec, space, 56);
AT(spec, configuration, 64);
AT(spec, codebook, 72);
SIZE(spec, 80);

AT(sink, struct_size, 0);
AT(sink, context, 8);
AT(sink, take, 16);
SIZE(sink, 24);

AT(decoder_table, struct_size, 0);
AT(decoder_table, create, 8);
AT(decoder_table, destroy, 16);
AT(decoder_table, spec, 24);
AT(decoder_table, decode, 32);
SIZE(decoder_table, 40);

AT(plugin, abi_major, 0);
AT(plugin, abi_minor, 4);
AT(plugin, struct_size, 8);
AT(plugin, option_count, 12);
AT(plugin, name, 16);
AT(plugin, summary, 24);
AT(plugin, version, 32);
AT(plugin, options, 40);
AT(plugin, decoder, 48);
AT(plugin, extension, 56);
SIZE(plugin, 64);

AT(encode_extension, struct_size, 0);
AT(encode_extension, create, 8);
AT(encode_extension, destroy, 16);
AT(encode_extension, spec, 24);
AT(encode_extension, encode, 32);
AT(encode_extension, to_indices, 40);
SIZE(encode_extension, 48);

AT(tiling_extension, halo, 8);
SIZE(tiling_extension, 16);

AT(memory_extension, peak_bytes, 8);
SIZE(memory_extension, 16);

AT(macs_extension, decode, 8);
AT(macs_extension, encode, 16);
SIZE(macs_extension, 24);

AT(shared_norms_extension, available, 8);
AT(shared_norms_extension, measure, 16);
AT(shared_norms_extension, decode, 24);
SIZE(shared_norms_extension, 32);

AT(temporal_extension, create, 8);
AT(temporal_extension, destroy, 16);
AT(temporal_extension, spec, 24);
AT(temporal_extension, depends_on_chunks, 32);
AT(temporal_extension, macs, 40);
AT(temporal_extension, begin, 48);
AT(temporal_extension, push, 56);
AT(temporal_extension, end, 64);
AT(temporal_extension, frames, 72);
SIZE(temporal_extension, 80);
