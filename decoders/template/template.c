/* The smallest complete plug-in: four latent channels mixed to red, green and blue, one square of pixels for each
 * latent. Plain C, no library but C's own. To make a decoder of your own, change `decode` and `facts`, then the words
 * in `lightswitch_plugin_entry`. */
#include <lightswitch/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 4, COLOURS = 3, FACTOR = 8, PARAMETERS = COLOURS * CHANNELS + 1 };

/* What one unit of each latent channel adds to each colour, and the colour of latents that are zero. Illustrative:
 * numbers for a real latent space come from least squares between latents and shrunk pictures. */
static const float mix[COLOURS][CHANNELS] = {
    {0.15f, 0.10f, 0.02f, -0.08f}, {0.15f, -0.02f, 0.08f, -0.02f}, {0.15f, -0.08f, -0.10f, 0.06f}};
static const float grey = 0.5f;

struct lightswitch_decoder {
  float contrast;
};

static const lightswitch_spec facts = {
    sizeof(lightswitch_spec),         /* struct_size */
    LIGHTSWITCH_ARITHMETIC_FP32,      /* arithmetic */
    LIGHTSWITCH_LATENTS_DIFFUSION,    /* network_input */
    LIGHTSWITCH_RANGE_UNIT,           /* output_range */
    CHANNELS,                         /* channels */
    FACTOR,                           /* factor */
    1.0,                              /* scaling_factor */
    0.0,                              /* shift_factor */
    PARAMETERS,                       /* parameters */
    "",                               /* space: unknown */
    "4 channels to RGB, 8x8 squares", /* configuration */
    0                                 /* codebook: none */
};

static int32_t fail(lightswitch_error* error, int32_t status, const char* what, const char* found) {
  snprintf(error->message, error->message_capacity, "%s, found %s", what, found);
  return status;
}

/* Refuses everything that it would have to ignore. */
static int32_t create(const lightswitch_request* request, lightswitch_decoder** decoder, lightswitch_error* error) {
  float contrast = 1.0f;
  uint32_t i;
  lightswitch_decoder* made;
  if (request->weights_path)
    return fail(error, LIGHTSWITCH_OPTION, "this plug-in takes no weights: expected none", request->weights_path);
  if (request->device_type != LIGHTSWITCH_DEVICE_CPU)
    return fail(error, LIGHTSWITCH_UNSUPPORTED, "device: expected the CPU", "another");
  if (request->arithmetic != LIGHTSWITCH_ARITHMETIC_AUTOMATIC && request->arithmetic != LIGHTSWITCH_ARITHMETIC_FP32)
    return fail(error, LIGHTSWITCH_UNSUPPORTED, "dtype: expected auto or fp32", "another");
  for (i = 0; i < request->option_count; ++i) {
    /* The host lets only the options through that are listed below, so this one is "contrast". */
    const char* value = request->options[i].value;
    char* end;
    contrast = strtof(value, &end);
    if (end == value || *end != '\0' || !(contrast >= 0.0f && contrast <= 100.0f))
      return fail(error, LIGHTSWITCH_OPTION, "contrast: expected a number from 0 to 100", value);
  }
  made = (lightswitch_decoder*)malloc(sizeof *made);
  if (!made) return fail(error, LIGHTSWITCH_OUT_OF_MEMORY, "expected a few bytes of memory", "none");
  made->contrast = contrast;
  *decoder = made;
  return LIGHTSWITCH_OK;
}

static void destroy(lightswitch_decoder* decoder) {
  free(decoder);
}

static const lightswitch_spec* spec(const lightswitch_decoder* decoder) {
  (void)decoder;
  return &facts;
}

/* One colour of one picture: a row of squares is mixed once and copied for its other lines. */
static void decode_colour(const float* latents, const float* weights, float contrast, int64_t h, int64_t w,
                          float* picture) {
  const int64_t width = w * FACTOR;
  int64_t y, x, c;
  for (y = 0; y < h; ++y) {
    float* line = picture + y * FACTOR * width;
    for (x = 0; x < width; ++x) {
      float sum = 0.0f;
      for (c = 0; c < CHANNELS; ++c) sum += weights[c] * latents[(c * h + y) * w + x / FACTOR];
      line[x] = grey + contrast * sum;
    }
    for (c = 1; c < FACTOR; ++c) memcpy(line + c * width, line, (size_t)width * sizeof *line);
  }
}

/* Nothing here changes the decoder, so any number of threads may be in it. */
static int32_t decode(const lightswitch_decoder* decoder, const lightswitch_tensor* latents,
                      const lightswitch_tensor* pictures, const lightswitch_stop* stop, lightswitch_error* error) {
  const int64_t n = latents->shape[0], h = latents->shape[2], w = latents->shape[3];
  int64_t i;
  int colour;
  for (i = 0; i < n; ++i) {
    const float* from = (const float*)latents->data + i * CHANNELS * h * w;
    float* to = (float*)pictures->data + i * COLOURS * h * w * FACTOR * FACTOR;
    for (colour = 0; colour < COLOURS; ++colour) {
      if (stop->requested(stop->context)) {
        snprintf(error->message, error->message_capacity, "cancelled");
        return LIGHTSWITCH_CANCELLED;
      }
      decode_colour(from, mix[colour], decoder->contrast, h, w, to + colour * h * w * FACTOR * FACTOR);
    }
  }
  return LIGHTSWITCH_OK;
}

/* An optional ability: a pixel depends on its own latent alone, so that tiles need no halo. */
static int64_t halo(const lightswitch_decoder* decoder) {
  (void)decoder;
  return 0;
}

static const void* extension(const char* id) {
  static const lightswitch_tiling_extension tiling = {sizeof(lightswitch_tiling_extension), 0, halo};
  return strcmp(id, LIGHTSWITCH_EXTENSION_TILING) == 0 ? &tiling : NULL;
}

static const lightswitch_decoder_table table = {sizeof(lightswitch_decoder_table), 0, create, destroy, spec, decode};

static const lightswitch_option options[] = {{"contrast", "how strongly latents colour the picture, 0 to 100", "1"}};

const lightswitch_plugin lightswitch_plugin_entry = {
    LIGHTSWITCH_PLUGIN_MAJOR,
    LIGHTSWITCH_PLUGIN_MINOR,
    sizeof(lightswitch_plugin),
    sizeof options / sizeof *options,
    "template",                                               /* name */
    "four latent channels to RGB, one square of pixels each", /* summary */
    "1.0.0",                                                  /* version */
    options,
    &table,
    extension};
