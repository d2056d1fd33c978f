/* A small sound plug-in, and the same one with a single fault: FAULT names it, GOOD for none. */
#include <lightswitch/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum fault {
  GOOD,
  /* read from the exported data */
  WRONG_MAJOR,
  TRUNCATED_ENTRY,
  NULL_TABLE,
  TRUNCATED_TABLE,
  NULL_FUNCTION,
  BAD_NAME,
  REPEATED_OPTION,
  TRUNCATED_EXTENSION,
  /* found out by using it */
  MAKES_NOTHING,
  FAILS_SILENTLY,
  UNKNOWN_STATUS,
  IGNORES_WEIGHTS,
  NULL_SPEC,
  TRUNCATED_SPEC,
  FACTOR_ZERO,
  SCALE_NAN,
  CHANGING_SPEC,
  RETURNS_NAN,
  WRITES_HALF,
  WRITES_BEYOND,
  WRITES_INPUT,
  IGNORES_STOP,
  REMEMBERS,
  MIXES_BATCH,
  ONE_THREAD_ONLY,
  CLAIMS_UNKNOWN_EXTENSIONS,
  WRONG_HALO,
  NEGATIVE_MACS,
  CRASHES
};

enum { CHANNELS = 4, FACTOR = 2 };

struct lightswitch_decoder {
  float gain;
  lightswitch_spec spec;
};

static const lightswitch_spec facts = {FAULT == TRUNCATED_SPEC ? 16 : sizeof(lightswitch_spec),
                                       LIGHTSWITCH_ARITHMETIC_FP32,
                                       LIGHTSWITCH_LATENTS_DIFFUSION,
                                       LIGHTSWITCH_RANGE_UNIT,
                                       CHANNELS,
                                       FAULT == FACTOR_ZERO ? 0 : FACTOR,
                                       FAULT == SCALE_NAN ? NAN : 1.0,
                                       0.0,
                                       1,
                                       "fake",
                                       "nearest",
                                       0};

static int32_t fail(lightswitch_error* error, int32_t status, const char* message) {
  snprintf(error->message, error->message_capacity, "%s", message);
  return status;
}

static int32_t create(const lightswitch_request* request, lightswitch_decoder** decoder, lightswitch_error* error) {
  if (FAULT == MAKES_NOTHING) return LIGHTSWITCH_OK;
  if (FAULT == UNKNOWN_STATUS) return 77;
  if (request->weights_path && FAULT == FAILS_SILENTLY) return LIGHTSWITCH_OPTION;
  if (request->weights_path && FAULT != IGNORES_WEIGHTS)
    return fail(error, LIGHTSWITCH_OPTION, "this plug-in takes no weights");
  lightswitch_decoder* made = malloc(sizeof *made);
  made->gain = 1.0f;
  made->spec = facts;
  for (uint32_t i = 0; i < request->option_count; ++i)
    if (strcmp(request->options[i].name, "gain") == 0) made->gain = strtof(request->options[i].value, NULL);
  *decoder = made;
  return LIGHTSWITCH_OK;
}

static void destroy(lightswitch_decoder* decoder) {
  free(decoder);
}

static const lightswitch_spec* spec(const lightswitch_decoder* decoder) {
  return FAULT == NULL_SPEC ? NULL : &decoder->spec;
}

static _Atomic float in_work; /* only for ONE_THREAD_ONLY: the first number of the latents that are decoded */
static int decodes;           /* only for REMEMBERS */

static float value(const lightswitch_decoder* decoder, const lightswitch_tensor* latents, int64_t n, int64_t c,
                   int64_t y, int64_t x) {
  const int64_t h = latents->shape[2], w = latents->shape[3];
  const float* data = latents->data;
  if (FAULT == MIXES_BATCH) n = 0;
  float sum = data[((n * CHANNELS + c) * h + y) * w + x];
  if (FAULT == WRONG_HALO && x > 0) sum += data[((n * CHANNELS + c) * h + y) * w + x - 1];
  return decoder->gain * sum + (FAULT == REMEMBERS ? (float)decodes : 0.0f);
}

static int32_t decode(const lightswitch_decoder* decoder, const lightswitch_tensor* latents,
                      const lightswitch_tensor* pictures, const lightswitch_stop* stop, lightswitch_error* error) {
  if (FAULT != IGNORES_STOP && stop->requested(stop->context)) return fail(error, LIGHTSWITCH_CANCELLED, "cancelled");
  if (FAULT == CRASHES) abort();
  if (FAULT == REMEMBERS) ++decodes;
  if (FAULT == CHANGING_SPEC) ((lightswitch_decoder*)decoder)->spec.shift_factor += 1.0;
  float shift = 0;
  if (FAULT == ONE_THREAD_ONLY) {
    const float own = *(const float*)latents->data;
    in_work = own;
    usleep(5000);
    shift = in_work - own; /* another thread's, where one came in between */
  }
  const int64_t width = pictures->shape[3], height = pictures->shape[2];
  float* to = pictures->data;
  for (int64_t n = 0; n < pictures->shape[0]; ++n)
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 0; y < (FAULT == WRITES_HALF ? height / 2 : height); ++y)
        for (int64_t x = 0; x < width; ++x)
          to[((n * 3 + c) * height + y) * width + x] = value(decoder, latents, n, c, y / FACTOR, x / FACTOR) + shift;
  if (FAULT == RETURNS_NAN) to[0] = NAN;
  if (FAULT == WRITES_BEYOND) to[pictures->shape[0] * 3 * height * width] = 1.0f;
  if (FAULT == WRITES_INPUT) ((float*)latents->data)[0] += 1.0f;
  return LIGHTSWITCH_OK;
}

static int64_t halo(const lightswitch_decoder* decoder) {
  (void)decoder;
  return 0;
}

static int64_t macs(const lightswitch_decoder* decoder, int64_t h, int64_t w) {
  (void)decoder;
  return FAULT == NEGATIVE_MACS ? -1 : 3 * h * w * FACTOR * FACTOR;
}

static int64_t peak_bytes(const lightswitch_decoder* decoder, int64_t h, int64_t w) {
  (void)decoder, (void)h, (void)w;
  return 0;
}

static const void* extension(const char* id) {
  static const lightswitch_tiling_extension tiling = {FAULT == TRUNCATED_EXTENSION ? 8 : sizeof tiling, 0, halo};
  static const lightswitch_macs_extension counting = {sizeof counting, 0, macs, NULL};
  static const lightswitch_memory_extension memory = {sizeof memory, 0, peak_bytes};
  if (strcmp(id, LIGHTSWITCH_EXTENSION_TILING) == 0) return &tiling;
  if (strcmp(id, LIGHTSWITCH_EXTENSION_MACS) == 0) return &counting;
  if (strcmp(id, LIGHTSWITCH_EXTENSION_MEMORY) == 0) return &memory;
  return FAULT == CLAIMS_UNKNOWN_EXTENSIONS && strstr(id, "no-such") ? &tiling : NULL;
}

static const lightswitch_decoder_table table = {FAULT == TRUNCATED_TABLE ? 16 : sizeof table, 0, create, destroy, spec,
                                                FAULT == NULL_FUNCTION ? NULL : decode};

static const lightswitch_option options[] = {{"gain", "factor on every colour", "1"},
                                             {FAULT == REPEATED_OPTION ? "gain" : "unused", "nothing", "0"}};

const lightswitch_plugin lightswitch_plugin_entry = {
    FAULT == WRONG_MAJOR ? LIGHTSWITCH_PLUGIN_MAJOR + 1 : LIGHTSWITCH_PLUGIN_MAJOR,
    LIGHTSWITCH_PLUGIN_MINOR,
    FAULT == TRUNCATED_ENTRY ? 32 : sizeof(lightswitch_plugin),
    2,
    FAULT == BAD_NAME ? "Bad Name" : "fake",
    "nearest upsampling",
    "1.0.0",
    options,
    FAULT == NULL_TABLE ? NULL : &table,
    extension};
