"""`python -m train COMMAND ...`: every step that makes the shipped models."""

import importlib
import sys

COMMANDS = {
    "scenes-sheet": "train.world:sheet_command",
    "scenes-autoencoder": "train.autoencoder:command",
    "scenes-latents": "train.latents:command",
    "scenes-decoder": "train.decoder:command",
    "scenes-vq": "train.vq_training:command",
    "scenes-routed": "train.routed_training:command",
    "routed-package": "train.routed_package:command",
    "scenes-export": "train.export:command",
    "scenes-tokenizer": "train.tokenizer:command",
    "scenes-text": "train.text_encoder:command",
    "scenes-judge": "train.judge_training:command",
    "scenes-judge-score": "train.judge_training:score_command",
    "scenes-unet": "train.unet_training:command",
    "scenes-samples": "train.samples:command",
    "scenes-package": "train.package:command",
    "package-files": "train.package:files_command",
    "motion-sheet": "train.motion_world:sheet_command",
    "motion-latents": "train.motion_latents:command",
    "motion-unet": "train.motion_unet_training:command",
    "motion-decoder": "train.motion_decoder:command",
    "motion-samples": "train.motion_samples:command",
    "motion-decoders-table": "train.motion_table:command",
    "motion-package": "train.motion_package:command",
    "distill": "train.distill:command",
    "gate": "train.gate:command",
    "speech-codec": "train.speech.codec:command",
    "speech-light": "train.speech.light:command",
    "wake-word": "train.speech.wake_word:command",
    "speech-gate": "train.speech.gate:command",
    "speech-package": "train.speech.package:command",
    "scenes-decoders-table": "train.decoders_table:command",
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print("usage: python -m train COMMAND [options]\n\ncommands:\n  " + "\n  ".join(COMMANDS), file=sys.stderr)
        return 2
    module, function = COMMANDS[sys.argv[1]].split(":")
    return getattr(importlib.import_module(module), function)(sys.argv[2:]) or 0


if __name__ == "__main__":
    sys.exit(main())
