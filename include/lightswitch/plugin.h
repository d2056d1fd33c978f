/* The plug-in boundary: what a shared library exports so that lightswitch can decode with it.
 *
 * A plug-in is a shared library with one exported data symbol, `lightswitch_plugin_entry`. Its first two words are the
 * version of this boundary, so that a host reads them before any function of the plug-in runs.
 *
 * Growth. A host accepts a plug-in of its own major version and of any minor version. Structs that may grow start with
 * `struct_size`, the size in bytes that their writer knows; a reader reads at most that many bytes and takes what is
 * absent for zero. Minor versions only append fields. New abilities are extensions, asked for by id.
 *
 * Failure. Functions that can fail return a LIGHTSWITCH_* status and write a message for people into `error`. No C++
 * exception may leave a function of this header, in either direction.
 *
 * Ownership. A struct, text or array that is passed to a function belongs to the caller and is only valid during the
 * call; what must last is copied. What a function returns by pointer belongs to the plug-in and lasts as stated there.
 * Texts are UTF-8, end with a zero and are never null unless stated.
 *
 * Threads. Stated on every function. "Any thread" means that calls may also overlap with each other.
 *
 * C11 or C++17, <stdint.h> alone. `decoders/template` is the smallest complete plug-in; plugin_adapter.hpp makes one of
 * a C++ class. */
#ifndef LIGHTSWITCH_PLUGIN_H
#define LIGHTSWITCH_PLUGIN_H

#include <stdint.h>

#define LIGHTSWITCH_PLUGIN_MAJOR 1
#define LIGHTSWITCH_PLUGIN_MINOR 0

#if defined(__GNUC__)
#define LIGHTSWITCH_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define LIGHTSWITCH_PLUGIN_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a function that can fail returns. */
enum {
  LIGHTSWITCH_OK = 0,
  LIGHTSWITCH_CANCELLED = 1,   /* the stop was requested; the object stays usable */
  LIGHTSWITCH_FILE = 2,        /* a file cannot be opened or read */
  LIGHTSWITCH_FORMAT = 3,      /* a file is not what its format promises */
  LIGHTSWITCH_INTEGRITY = 4,   /* a file's content differs from its recorded hash */
  LIGHTSWITCH_WEIGHTS = 5,     /* tensors missing, unexpected or misshapen */
  LIGHTSWITCH_OPTION = 6,      /* an option's value is unusable, or options contradict each other */
  LIGHTSWITCH_TENSOR = 7,      /* a shape, element type or device that the network cannot take or did not keep to */
  LIGHTSWITCH_NUMERIC = 8,     /* NaN or infinity where finite numbers are required */
  LIGHTSWITCH_UNSUPPORTED = 9, /* understood, and not possible with this build, machine or network */
  LIGHTSWITCH_OUT_OF_MEMORY = 10,
  LIGHTSWITCH_INTERNAL = 11 /* anything else */
};

/* Element types (DLPack's DLDataTypeCode) and devices (DLPack's DLDeviceType). */
enum { LIGHTSWITCH_DTYPE_INT = 0, LIGHTSWITCH_DTYPE_FLOAT = 2 };
enum { LIGHTSWITCH_DEVICE_CPU = 1, LIGHTSWITCH_DEVICE_CUDA = 2 };

/* Arithmetic a network computes in; AUTOMATIC leaves the choice to the plug-in. */
enum {
  LIGHTSWITCH_ARITHMETIC_AUTOMATIC = 0,
  LIGHTSWITCH_ARITHMETIC_FP32 = 1,
  LIGHTSWITCH_ARITHMETIC_BF16 = 2,
  LIGHTSWITCH_ARITHMETIC_FP16 = 3
};

/* What latents hold: the encoder's own space; the denoiser's, (raw - shift_factor) * scaling_factor; indices. */
enum { LIGHTSWITCH_LATENTS_RAW = 0, LIGHTSWITCH_LATENTS_DIFFUSION = 1, LIGHTSWITCH_LATENTS_INDICES = 2 };

/* The range of pictures as the network gives or takes them: [-1, 1], or [0, 1]. */
enum { LIGHTSWITCH_RANGE_SIGNED = 0, LIGHTSWITCH_RANGE_UNIT = 1 };

/* A view of a tensor that its owner keeps alive during the call. Never grows. */
typedef struct lightswitch_tensor {
  void* data;             /* first element */
  const int64_t* shape;   /* `ndim` sizes, all above 0 */
  const int64_t* strides; /* `ndim` steps in elements; a host passes dense row-major tensors */
  void* stream;           /* the device's stream on which the data is ready and must be used; null on a CPU */
  int32_t device_type;    /* LIGHTSWITCH_DEVICE_* */
  int32_t device_id;
  int32_t ndim;
  uint8_t dtype_code;   /* LIGHTSWITCH_DTYPE_* */
  uint8_t dtype_bits;   /* of one element: 32 for float, 64 for int64; norm statistics may have float64 */
  uint16_t dtype_lanes; /* 1 */
} lightswitch_tensor;

/* Where a failing function leaves its message. Belongs to the caller. */
typedef struct lightswitch_error {
  uint32_t struct_size;
  uint32_t message_capacity; /* bytes at `message`, the final zero included; at least 256 */
  char* message;             /* starts as an empty text; one that does not fit is cut */
} lightswitch_error;

/* A host's request to stop, which may come at any time during a call. Valid during the call it is passed to. */
typedef struct lightswitch_stop {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  void* context;     /* first argument of the functions below */
  /* 1 once the stop is requested, else 0. Cheap: ask between layers. Any thread. */
  int32_t (*requested)(void* context);
  /* Has `notify(user)` called once, by whichever thread requests the stop, or at once when it has been requested.
   * @return a subscription that belongs to the caller until unsubscribe(); null when memory ran out. Any thread. */
  void* (*subscribe)(void* context, void (*notify)(void* user), void* user);
  /* Ends a subscription; when it returns, `notify` is not running and will not run. Every subscription ends so, before
   * the call that `stop` was passed to returns. Any thread but one inside `notify`. */
  void (*unsubscribe)(void* context, void* subscription);
} lightswitch_stop;

/* One option that a plug-in understands. Never grows. */
typedef struct lightswitch_option {
  const char* name;          /* lower-case letters, digits and '-' */
  const char* summary;       /* one line: meaning, unit, range */
  const char* default_value; /* the text that stands for "not given" */
} lightswitch_option;

/* A name and its value as text. Never grows. */
typedef struct lightswitch_pair {
  const char* name;
  const char* value;
} lightswitch_pair;

/* What create() makes a network from. Written by the host. */
typedef struct lightswitch_request {
  uint32_t struct_size;
  int32_t arithmetic;  /* LIGHTSWITCH_ARITHMETIC_* wanted; another one is LIGHTSWITCH_UNSUPPORTED, never ignored */
  int32_t device_type; /* LIGHTSWITCH_DEVICE_* to compute on */
  int32_t device_id;
  const char* plugin_path;         /* the file this plug-in was loaded from */
  const char* weights_path;        /* file or folder that the user named; null when none was */
  const lightswitch_pair* options; /* what the user chose: names of lightswitch_plugin.options, none twice */
  const lightswitch_pair* config;  /* facts from a config.json beside the weights, flattened to "a.b.0"; unknown names
                                      are no error */
  uint32_t option_count;
  uint32_t config_count;
} lightswitch_request;

/* Facts about one network. Written by the plug-in. The host converts latents and pictures according to it; the network
 * itself neither scales nor clamps. */
typedef struct lightswitch_spec {
  uint32_t struct_size;
  int32_t arithmetic;        /* LIGHTSWITCH_ARITHMETIC_* in use, never AUTOMATIC */
  int32_t network_input;     /* LIGHTSWITCH_LATENTS_* that decode() takes and encode() gives */
  int32_t output_range;      /* LIGHTSWITCH_RANGE_* that decode() gives and encode() takes */
  int64_t channels;          /* of the latents: 1 ... 65536 */
  int64_t factor;            /* pixels per latent along each axis: 1 ... 1024 */
  double scaling_factor;     /* above 0; 1 where there is none */
  double shift_factor;       /* finite; 0 where there is none */
  int64_t parameters;        /* trained numbers, as stored */
  const char* space;         /* name of the latent space; empty when unknown */
  const char* configuration; /* one line: widths, depths, variants; may be empty */
  int64_t codebook;          /* entries that INDICES choose from; 0 where there is no codebook */
} lightswitch_spec;

/* A plug-in's own objects. */
typedef struct lightswitch_decoder lightswitch_decoder;
typedef struct lightswitch_encoder lightswitch_encoder;
typedef struct lightswitch_temporal lightswitch_temporal; /* a decoder of clips */
typedef struct lightswitch_stream lightswitch_stream;     /* the decoding of one clip */

/* Where a function hands over tensors whose number or size only it knows. Belongs to the host. */
typedef struct lightswitch_sink {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  void* context;     /* first argument of the function below */
  /* Takes `count` tensors, which belong to the plug-in and are copied before take() returns. In the thread of the call
   * that the sink was passed to. LIGHTSWITCH_OK, or a failure with which that call must then fail at once. */
  int32_t (*take)(void* context, const lightswitch_tensor* tensors, uint32_t count);
} lightswitch_sink;

/* The functions of a decoder. Lasts as long as the plug-in is loaded; no entry is null. */
typedef struct lightswitch_decoder_table {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Loads a network and hands it to the host through `*decoder`, which stays untouched on failure. A plug-in that takes
   * no weights refuses a weights_path with LIGHTSWITCH_OPTION. Any thread. */
  int32_t (*create)(const lightswitch_request* request, lightswitch_decoder** decoder, lightswitch_error* error);
  /* Ends a decoder. Any thread, once, when no other call with this decoder is running or will come. */
  void (*destroy)(lightswitch_decoder* decoder);
  /* Facts, which never change. Belongs to the decoder and lasts as long as it. Any thread. */
  const lightswitch_spec* (*spec)(const lightswitch_decoder* decoder);
  /* Turns latents into pictures. Both tensors belong to the host; the plug-in keeps no pointer to either.
   * `latents`: [N, channels, h, w] float32 of any size, not to be written to; [N, h, w] int64 in 0 ... codebook - 1
   * where `network_input` is INDICES, and for a network with a codebook also where it is not.
   * `pictures`: [N, 3, h * factor, w * factor] float32, every element to be written, nothing outside it.
   * The host vouches for these shapes. Picture i depends on latents i alone.
   * `stop` is never null: LIGHTSWITCH_CANCELLED when it is requested before the work is done, also before it has begun.
   * Any thread: two calls with one decoder give what they would give alone. */
  int32_t (*decode)(const lightswitch_decoder* decoder, const lightswitch_tensor* latents,
                    const lightswitch_tensor* pictures, const lightswitch_stop* stop, lightswitch_error* error);
} lightswitch_decoder_table;

/* What a plug-in exports. Constant; lasts as long as the plug-in is loaded. */
typedef struct lightswitch_plugin {
  uint32_t abi_major; /* LIGHTSWITCH_PLUGIN_MAJOR it was built with */
  uint32_t abi_minor; /* LIGHTSWITCH_PLUGIN_MINOR it was built with */
  uint32_t struct_size;
  uint32_t option_count;
  const char* name;                  /* the family's word: 1 ... 32 lower-case letters, digits, '-' and '_' */
  const char* summary;               /* one line */
  const char* version;               /* the plug-in's own, such as "1.2.0" */
  const lightswitch_option* options; /* `option_count` of them; may be null when there is none */
  const lightswitch_decoder_table* decoder;
  /* The table of an optional ability, or null when the plug-in does not have it or does not know the id. Lasts as long
   * as the plug-in is loaded. The entry itself may be null: no ability at all. Any thread. */
  const void* (*extension)(const char* id);
} lightswitch_plugin;

/* The one symbol. A plug-in defines it; a host looks it up by name and never links it. */
#define LIGHTSWITCH_PLUGIN_SYMBOL "lightswitch_plugin_entry"
extern LIGHTSWITCH_PLUGIN_EXPORT const lightswitch_plugin lightswitch_plugin_entry;

/* -- Extensions: optional abilities ------------------------------------------------------------------------------- */

/* Pictures to latents. */
#define LIGHTSWITCH_EXTENSION_ENCODE "lightswitch.encode/1"
typedef struct lightswitch_encode_extension {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* As lightswitch_decoder_table.create; LIGHTSWITCH_WEIGHTS when the weights hold no encoder. Any thread. */
  int32_t (*create)(const lightswitch_request* request, lightswitch_encoder** encoder, lightswitch_error* error);
  /* Ends an encoder. Any thread, once, when no other call with this encoder is running or will come. */
  void (*destroy)(lightswitch_encoder* encoder);
  /* Facts, which never change. Belongs to the encoder and lasts as long as it. Any thread. */
  const lightswitch_spec* (*spec)(const lightswitch_encoder* encoder);
  /* Turns pictures into latents: a posterior's mode, never a sample. Both tensors belong to the host.
   * `pictures`: [N, 3, H, W] float32 with H and W multiples of the factor; not to be written to.
   * `latents`: [N, channels, H / factor, W / factor] float32, every element to be written.
   * `stop` and threads: as lightswitch_decoder_table.decode. */
  int32_t (*encode)(const lightswitch_encoder* encoder, const lightswitch_tensor* pictures,
                    const lightswitch_tensor* latents, const lightswitch_stop* stop, lightswitch_error* error);
  /* The codebook entries of latents that encode() gave; may be null, and is not called while spec.codebook is 0.
   * `latents`: [N, channels, h, w] float32. `indices`: [N, h, w] int64, every element to be written.
   * `stop` and threads: as lightswitch_decoder_table.decode. */
  int32_t (*to_indices)(const lightswitch_encoder* encoder, const lightswitch_tensor* latents,
                        const lightswitch_tensor* indices, const lightswitch_stop* stop, lightswitch_error* error);
} lightswitch_encode_extension;

/* Tiles. Without this extension a host takes it that norms or attention see the whole picture. */
#define LIGHTSWITCH_EXTENSION_TILING "lightswitch.tiling/1"
typedef struct lightswitch_tiling_extension {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Latents on each side that can influence an output pixel; -1 when norms or attention see the whole picture.
   * Constant. Any thread. */
  int64_t (*halo)(const lightswitch_decoder* decoder);
} lightswitch_tiling_extension;

/* Memory, told before it is needed. */
#define LIGHTSWITCH_EXTENSION_MEMORY "lightswitch.memory/1"
typedef struct lightswitch_memory_extension {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Most bytes that decoding [1, channels, h, w] has in use at one time, the decoder's own not counted; -1 when this
   * decoder cannot tell. Any thread. */
  int64_t (*peak_bytes)(const lightswitch_decoder* decoder, int64_t h, int64_t w);
} lightswitch_memory_extension;

/* Arithmetic, counted and not done. */
#define LIGHTSWITCH_EXTENSION_MACS "lightswitch.macs/1"
typedef struct lightswitch_macs_extension {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Multiply-adds of decoding [1, channels, h, w]. Any thread. */
  int64_t (*decode)(const lightswitch_decoder* decoder, int64_t h, int64_t w);
  /* Multiply-adds of encoding [1, 3, height, width]; null in a plug-in that does not encode. Any thread. */
  int64_t (*encode)(const lightswitch_encoder* encoder, int64_t height, int64_t width);
} lightswitch_macs_extension;

/* Tiles of a decoder whose norms see the whole picture: all use the statistics of one picture, so that tones do not
 * shift from tile to tile. */
#define LIGHTSWITCH_EXTENSION_SHARED_NORMS "lightswitch.shared-norms/1"
typedef struct lightswitch_shared_norms_extension {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* 1 when this decoder can, else 0, and nothing below is called. Constant. Any thread. */
  int32_t (*available)(const lightswitch_decoder* decoder);
  /* The statistics of decoding `latents`, [1, channels, h, w] float32. They mean something to this decoder alone, and
   * go to the sink in one call: dense float32 or float64 tensors on a CPU.
   * `stop` and threads: as lightswitch_decoder_table.decode. */
  int32_t (*measure)(const lightswitch_decoder* decoder, const lightswitch_tensor* latents,
                     const lightswitch_sink* statistics, const lightswitch_stop* stop, lightswitch_error* error);
  /* lightswitch_decoder_table.decode with these statistics in place of the picture's own. */
  int32_t (*decode)(const lightswitch_decoder* decoder, const lightswitch_tensor* statistics, uint32_t count,
                    const lightswitch_tensor* latents, const lightswitch_tensor* pictures, const lightswitch_stop* stop,
                    lightswitch_error* error);
} lightswitch_shared_norms_extension;

/* Clips: frames that depend on each other. */
#define LIGHTSWITCH_EXTENSION_TEMPORAL "lightswitch.temporal/1"
typedef struct lightswitch_temporal_extension {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* As lightswitch_decoder_table.create; LIGHTSWITCH_WEIGHTS when the weights are of a decoder of pictures. Any
   * thread. */
  int32_t (*create)(const lightswitch_request* request, lightswitch_temporal** decoder, lightswitch_error* error);
  /* Ends a decoder. Any thread, once, when its streams have ended and no other call with it is running or will come. */
  void (*destroy)(lightswitch_temporal* decoder);
  /* Facts, which never change. Belongs to the decoder and lasts as long as it. Any thread. */
  const lightswitch_spec* (*spec)(const lightswitch_temporal* decoder);
  /* 1 when frames depend on how a clip is cut into pushes (each then sees the frames of its own push alone), else 0.
   * Constant. Any thread. */
  int32_t (*depends_on_chunks)(const lightswitch_temporal* decoder);
  /* Multiply-adds of one push of [channels, frames, h, w]; 0 when they are not counted. Any thread. */
  int64_t (*macs)(const lightswitch_temporal* decoder, int64_t frames, int64_t h, int64_t w);
  /* Begins a clip and hands its stream to the host through `*stream`, which stays untouched on failure. Any thread:
   * one decoder may serve several streams at once. */
  int32_t (*begin)(const lightswitch_temporal* decoder, lightswitch_stream** stream, lightswitch_error* error);
  /* Decodes the next T frames of the clip. After a failure the stream is only good for end().
   * `latents`: [channels, T, h, w] float32, h and w as in the first push; not to be written to.
   * `frames` takes what is ready, [T', 3, h * factor, w * factor] float32 in the clip's order, in any number of calls
   * of one tensor each, or none.
   * `stop` as in lightswitch_decoder_table.decode. One thread at a time for each stream. */
  int32_t (*push)(lightswitch_stream* stream, const lightswitch_tensor* latents, const lightswitch_sink* frames,
                  const lightswitch_stop* stop, lightswitch_error* error);
  /* Ends a stream, at whatever point of the clip. Once. */
  void (*end)(lightswitch_stream* stream);
  /* Frames that a clip of so many latents has in all. Any thread. */
  int64_t (*frames)(const lightswitch_temporal* decoder, int64_t latents);
} lightswitch_temporal_extension;

#ifdef __cplusplus
}
#endif

#endif
