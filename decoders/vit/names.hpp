#pragma once

namespace lightswitch::vit {

/// How a file spells the parts of a network. Two spellings exist: mit-han-lab/efficientvit's and that of diffusers'
/// AutoencoderDC. Stages and operations have the same numbers in both.
struct Names {
  const char* encoder_stages;  ///< before a stage's number
  const char* decoder_stages;
  const char* operations;  ///< between a stage's number and an operation's

  const char* decoder_in;
  const char* decoder_norm_out;
  const char* decoder_out;  ///< ".conv" follows where it resamples
  const char* encoder_in;   ///< likewise
  const char* encoder_out;

  const char* resample;
  const char* strided;  ///< a resampler that is a plain convolution of stride 2

  const char* residual_expand;
  const char* residual_contract;
  const char* residual_norm;

  const char* attention;  ///< before every tensor of the linear attention
  const char* fused_qkv;  ///< null: the rows of that convolution are cut into `thirds`
  const char* thirds[3];
  const char* scale;  ///< before a scale's number
  const char* scale_neighbourhood;
  const char* scale_mix;
  const char* project;
  const char* project_norm;

  const char* gated_conv;  ///< before every tensor of the gated convolution
  const char* expand;
  const char* depthwise;
  const char* contract;
  const char* contract_norm;

  /// diffusers: linear maps are [out, in] without the two ones of a 1x1 convolution, and the gated convolution's
  /// activation is SiLU whatever the stage's is.
  bool diffusers;
};

inline constexpr Names upstream_names{.encoder_stages = "stages.",
                                      .decoder_stages = "stages.",
                                      .operations = ".op_list.",
                                      .decoder_in = "project_in.main.conv",
                                      .decoder_norm_out = "project_out.op_list.0",
                                      .decoder_out = "project_out.op_list.2.conv",
                                      .encoder_in = "project_in.conv",
                                      .encoder_out = "project_out.main.op_list.0.conv",
                                      .resample = "main.conv.conv",
                                      .strided = "main.conv",
                                      .residual_expand = "main.conv1.conv",
                                      .residual_contract = "main.conv2.conv",
                                      .residual_norm = "main.conv2.norm",
                                      .attention = "context_module.",
                                      .fused_qkv = "context_module.main.qkv.conv",
                                      .thirds = {},
                                      .scale = "context_module.main.aggreg.",
                                      .scale_neighbourhood = ".0",
                                      .scale_mix = ".1",
                                      .project = "context_module.main.proj.conv",
                                      .project_norm = "context_module.main.proj.norm",
                                      .gated_conv = "local_module.",
                                      .expand = "local_module.main.inverted_conv.conv",
                                      .depthwise = "local_module.main.depth_conv.conv",
                                      .contract = "local_module.main.point_conv.conv",
                                      .contract_norm = "local_module.main.point_conv.norm",
                                      .diffusers = false};

inline constexpr Names diffusers_names{.encoder_stages = "down_blocks.",
                                       .decoder_stages = "up_blocks.",
                                       .operations = ".",
                                       .decoder_in = "conv_in",
                                       .decoder_norm_out = "norm_out",
                                       .decoder_out = "conv_out",
                                       .encoder_in = "conv_in",
                                       .encoder_out = "conv_out",
                                       .resample = "conv",
                                       .strided = "conv",
                                       .residual_expand = "conv1",
                                       .residual_contract = "conv2",
                                       .residual_norm = "norm",
                                       .attention = "attn.",
                                       .fused_qkv = nullptr,
                                       .thirds = {"attn.to_q", "attn.to_k", "attn.to_v"},
                                       .scale = "attn.to_qkv_multiscale.",
                                       .scale_neighbourhood = ".proj_in",
                                       .scale_mix = ".proj_out",
                                       .project = "attn.to_out",
                                       .project_norm = "attn.norm_out",
                                       .gated_conv = "conv_out.",
                                       .expand = "conv_out.conv_inverted",
                                       .depthwise = "conv_out.conv_depth",
                                       .contract = "conv_out.conv_point",
                                       .contract_norm = "conv_out.norm",
                                       .diffusers = true};

}  // namespace lightswitch::vit
