"""Tiny pipelines of diffusers' own classes, saved, exported and looked at. The pictures are compared in tests/cli."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any

import torch

from lightswitch_export.archive import local_paths
from lightswitch_export.refusal import Refusal
from lightswitch_export.tracing import export_traced

try:
    import diffusers
    import transformers  # noqa: F401

    from lightswitch_export.__main__ import export, parse_sizes, quieten
    from lightswitch_export.parts import Options
    from tests import tiny_pipelines as tiny
except ImportError:
    diffusers = None

NEEDS_DIFFUSERS = unittest.skipIf(diffusers is None, "diffusers and transformers are not installed: nothing to export")


class InAFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def save(self, pipeline: Any) -> Path:
        with contextlib.redirect_stderr(io.StringIO()):
            pipeline.save_pretrained(self.folder / "source")
        return self.folder / "source"

    def export(self, pipeline: Any, **options: Any) -> dict[str, Any]:
        """Exports to folder/package. @return model.json."""
        quieten()
        self.told = io.StringIO()
        with contextlib.redirect_stdout(self.told):
            export(self.save(pipeline), self.folder / "package", Options(**{"dtype": "fp32", **options}))
        return json.loads((self.folder / "package" / "model.json").read_text())

    def assert_refused(self, pipeline: Any, component: str, **options: Any) -> None:
        with self.assertRaises(Refusal) as caught:
            self.export(pipeline, **options)
        self.assertEqual(caught.exception.component, component, str(caught.exception))
        self.assertEqual([path.name for path in self.folder.iterdir()], ["source"], "something was left behind")


@NEEDS_DIFFUSERS
class Packages(InAFolder):
    def test_every_kind_has_its_parts(self) -> None:
        text = ["sample", "timestep", "encoder_hidden_states"]
        for kind, inputs, method, zeros in (
            ("sd1", text, "pndm", "encoded"),
            ("sd2", text, "ddim", "encoded"),
            ("lcm", [*text, "guidance_scale"], "lcm", "encoded"),
            ("sdxl", [*text, "text_embeds", "time_ids"], "euler", "zeros"),
        ):
            with self.subTest(kind=kind), tempfile.TemporaryDirectory() as folder:
                self.folder = Path(folder)
                model = self.export(tiny.KINDS[kind]())
                self.assertEqual(model["parts"]["denoiser"]["inputs"], inputs)
                self.assertEqual(model["parts"]["denoiser"]["empty_negative_prompt"], zeros)
                self.assertEqual(model["defaults"]["sampling_method"], method)
                self.assertEqual("text_encoder_2" in model["parts"], kind == "sdxl")
                self.assertEqual(set(model["parts"]["schedulers"]), {"lcm"} if kind == "lcm" else OTHERS[kind])
                config = model["parts"]["decoders"]["vae"]["config"]
                self.assertEqual(config, {"norm_num_groups": "8", "force_upcast": "true"})
                self.assertEqual((model["defaults"]["width"], model["defaults"]["height"]), (32, 32))

    def test_the_manifest_lists_every_file_with_its_hash(self) -> None:
        model = self.export(tiny.stable_diffusion())
        package = self.folder / "package"
        present = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
        self.assertEqual(present - {"model.json", "README.md"}, set(model["files"]))
        for name, entry in model["files"].items():
            content = (package / name).read_bytes()
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (entry["bytes"], entry["sha256"]), name)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["package", "source"])

    def test_no_file_names_a_path_of_this_machine(self) -> None:
        self.export(tiny.stable_diffusion())
        for path in (self.folder / "package").rglob("*"):
            if path.suffix == ".pt":
                self.assertEqual(local_paths(path.read_bytes()), [], path.name)
                names = zipfile.ZipFile(path).namelist()
                self.assertFalse([name for name in names if name.endswith("debug_pkl")], path.name)
            elif path.suffix in (".json", ".md"):
                self.assertNotIn(str(self.folder), path.read_text(encoding="utf-8"), path.name)

    def test_the_denoiser_holds_for_sizes_and_batches_that_were_never_checked(self) -> None:
        pipeline = tiny.stable_diffusion_xl()
        self.export(pipeline)
        loaded = torch.jit.load(self.folder / "package" / "denoiser.pt")
        for batch, height, width, length in ((5, 13, 22, 77), (1, 3, 5, 154), (2, 32, 16, 77)):
            inputs = (torch.randn(batch, 4, height, width), torch.tensor(421.0), torch.randn(batch, length, 64))
            added = {"text_embeds": torch.randn(batch, 24), "time_ids": torch.rand(batch, 6) * 500}
            with torch.no_grad():
                expected = pipeline.unet(*inputs, added_cond_kwargs=added).sample
                torch.testing.assert_close(loaded(*inputs, *added.values()), expected, rtol=0, atol=1e-5)

    def test_the_text_encoder_gives_what_every_clip_skip_reads(self) -> None:
        pipeline = tiny.stable_diffusion()
        self.export(pipeline)
        loaded = torch.jit.load(self.folder / "package" / "text_encoder.pt")
        ids = torch.randint(500, (2, 77), generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            states = loaded(ids)
            original = pipeline.text_encoder(ids, output_hidden_states=True)
        self.assertEqual(states.shape, (4, 2, 77, tiny.TEXT_WIDTH))
        torch.testing.assert_close(states[0], original.last_hidden_state)
        norm = getattr(pipeline.text_encoder, "text_model", pipeline.text_encoder).final_layer_norm
        torch.testing.assert_close(states[2], norm(original.hidden_states[-3]))

    def test_halves_are_stored_and_told(self) -> None:
        for dtype in ("fp16", "bf16"):
            with self.subTest(dtype=dtype), tempfile.TemporaryDirectory() as folder:
                self.folder = Path(folder)
                self.export(tiny.stable_diffusion(), dtype=dtype)
                stored = next(torch.jit.load(self.folder / "package" / "denoiser.pt").parameters())
                self.assertEqual(stored.dtype, {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype])
                self.assertIn("with the rounding of the weights", self.told.getvalue())

    def test_sizes_and_defaults_are_taken(self) -> None:
        model = self.export(tiny.stable_diffusion(), sizes=parse_sizes("48x32,20x20"), steps=9, cfg_scale=3.5)
        defaults = model["defaults"]
        self.assertEqual((defaults["width"], defaults["height"], defaults["steps"], defaults["cfg_scale"]), (48, 32, 9, 3.5))
        self.assertIn("2x4x16x24", self.told.getvalue())
        self.assertIn("2x4x10x10", self.told.getvalue())

    def test_the_tokenizer_says_what_pads(self) -> None:
        self.export(tiny.stable_diffusion_xl())
        for name, padding in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
            config = json.loads((self.folder / "package" / name / "tokenizer_config.json").read_text())
            self.assertEqual(config["pad_token"], padding)


@NEEDS_DIFFUSERS
class Video(InAFolder):
    def test_the_parts_of_a_video_model(self) -> None:
        pipeline = tiny.stable_video()
        model = self.export(pipeline)
        self.assertEqual(model["kind"], "image-to-video")
        self.assertEqual(set(model["parts"]["schedulers"]), {"euler"})
        self.assertEqual(model["parts"]["decoders"]["vae"]["family"], "svd")
        self.assertEqual(model["parts"]["image_encoder"]["size"], 224)
        self.assertEqual(model["defaults"]["video_frames"], 4)
        state = torch.jit.load(self.folder / "package" / "schedulers" / "euler.pt").init(5, 1.0)
        torch.testing.assert_close(state["sigmas"][[0, 4]], torch.tensor([700.0, 0.002]), rtol=1e-5, atol=0)
        torch.testing.assert_close(state["timesteps"], 0.25 * state["sigmas"][:5].log())

    def test_the_denoiser_holds_for_other_sizes_batches_and_frame_counts(self) -> None:
        pipeline = tiny.stable_video()
        self.export(pipeline)
        loaded = torch.jit.load(self.folder / "package" / "denoiser.pt")
        for batch, frames, height, width in ((1, 9, 4, 10), (2, 1, 16, 16), (3, 6, 5, 7)):
            inputs = (
                torch.randn(batch, frames, 8, height, width),
                torch.tensor(0.7),
                torch.randn(batch, 1, tiny.TEXT_WIDTH),
                torch.tensor([[5.0, 127.0, 0.02]]).expand(batch, 3),
            )
            with torch.no_grad():
                expected = pipeline.unet(*inputs).sample
                torch.testing.assert_close(loaded(*inputs), expected, rtol=0, atol=1e-5)

    def test_the_image_encoder_normalises_as_the_pipeline_does(self) -> None:
        pipeline = tiny.stable_video()
        self.export(pipeline)
        pixels = torch.rand(1, 3, 224, 224)
        how = {"do_resize": False, "do_center_crop": False, "do_rescale": False, "do_normalize": True}
        with torch.no_grad():
            given = pipeline.feature_extractor(images=pixels, return_tensors="pt", **how).pixel_values
            expected = pipeline.image_encoder(given).image_embeds.unsqueeze(1)
            found = torch.jit.load(self.folder / "package" / "image_encoder.pt")(pixels)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)

    def test_a_unet_for_other_latents_is_refused(self) -> None:
        self.assert_refused(tiny.stable_video(in_channels=9), "unet: in_channels")

    def test_a_unet_that_reads_another_width_is_refused(self) -> None:
        self.assert_refused(tiny.stable_video(cross_attention_dim=48), "unet: cross_attention_dim")


ALL = {"ddim", "pndm", "euler", "euler_a", "dpm++2m", "dpm++2m_karras", "unipc"}
OTHERS = {"sd1": ALL, "sdxl": ALL, "sd2": ALL - {"pndm"}}  # PNDM has no zero terminal SNR


@NEEDS_DIFFUSERS
class Refusals(InAFolder):
    def test_an_inpainting_unet(self) -> None:
        self.assert_refused(tiny.stable_diffusion(in_channels=9), "unet: in_channels")

    def test_a_unet_of_another_text_width(self) -> None:
        self.assert_refused(tiny.stable_diffusion(cross_attention_dim=48), "unet: cross_attention_dim")

    def test_a_scheduler_without_a_scripted_form(self) -> None:
        self.assert_refused(tiny.stable_diffusion(tiny.scheduler("HeunDiscreteScheduler")), "scheduler")

    def test_an_option_of_a_scheduler_that_would_be_ignored(self) -> None:
        own = tiny.scheduler("DPMSolverMultistepScheduler", solver_order=3)
        self.assert_refused(tiny.stable_diffusion(own), "scheduler")

    def test_a_text_encoder_that_hides_its_padding(self) -> None:
        text = tiny.text_encoder(1, use_attention_mask=True)
        self.assert_refused(tiny.stable_diffusion(text=text), "text_encoder")

    def test_latents_with_statistics(self) -> None:
        pipeline = tiny.stable_diffusion()
        pipeline.vae.register_to_config(latents_mean=[0.0] * 4)
        self.assert_refused(pipeline, "vae: latents_mean")

    def test_tokens_beside_clips(self) -> None:
        pipeline = tiny.stable_diffusion()
        pipeline.tokenizer.add_tokens(["<my-cat>"])
        self.assert_refused(pipeline, "tokenizer")

    def test_a_size_that_the_latents_do_not_have(self) -> None:
        self.assert_refused(tiny.stable_diffusion(), "--sizes", sizes=((33, 32),))

    def test_another_pipeline(self) -> None:
        source = self.save(tiny.stable_diffusion())
        index = source / "model_index.json"
        index.write_text(index.read_text().replace("StableDiffusionPipeline", "FluxPipeline"))
        with self.assertRaisesRegex(Refusal, "model_index.json: _class_name.*FluxPipeline"):
            export(source, self.folder / "package", Options())

    def test_damaged_weights(self) -> None:
        source = self.save(tiny.stable_diffusion())
        weights = source / "unet" / "diffusion_pytorch_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        with self.assertRaises(Refusal) as caught, contextlib.redirect_stdout(io.StringIO()):
            export(source, self.folder / "package", Options())
        self.assertEqual(caught.exception.component, "unet")
        self.assertFalse((self.folder / "package").exists())

    def test_no_folder_and_a_package_that_is_there(self) -> None:
        with self.assertRaisesRegex(Refusal, "model_index.json"):
            export(self.folder / "nothing", self.folder / "package", Options())
        (self.folder / "package").mkdir()
        with self.assertRaisesRegex(Refusal, "output"):
            export(self.save(tiny.stable_diffusion()), self.folder / "package", Options())
        self.assertEqual(list((self.folder / "package").iterdir()), [])


@NEEDS_DIFFUSERS
class CommandLine(InAFolder):
    def run_module(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-m", "lightswitch_export", *arguments]
        top = Path(__file__).resolve().parents[1]
        return subprocess.run(command, capture_output=True, text=True, cwd=top)

    def test_exports_and_tells_the_differences(self) -> None:
        source, package = self.save(tiny.stable_diffusion()), self.folder / "package"
        done = self.run_module(str(source), "-o", str(package), "--dtype", "fp16")
        self.assertEqual(done.returncode, 0, done.stderr)
        for component in ("scheduler pndm", "vae", "text_encoder", "unet"):
            self.assertRegex(done.stdout, rf"(?m)^{component}  .*largest difference \d")
        self.assertTrue((package / "model.json").exists())

    def test_a_refusal_is_one_line_and_another_exit_code(self) -> None:
        done = self.run_module(str(self.folder), "-o", str(self.folder / "package"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Aerror: model_index.json: expected .*\n\Z")

    def test_sizes_are_parsed(self) -> None:
        self.assertEqual(parse_sizes("512x768, 64x64"), ((512, 768), (64, 64)))
        for bad in ("512", "512x", "axb", "1x2x3", ""):
            with self.assertRaisesRegex(Exception, "WIDTHxHEIGHT"):
                parse_sizes(bad)


class Traces(InAFolder):
    def test_a_frozen_size_is_refused(self) -> None:
        class Frozen(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = torch.nn.Parameter(torch.ones(1))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * self.weight * int(x.shape[2])

        with self.assertRaisesRegex(Refusal, "frozen: expected outputs within"):
            export_traced("frozen", Frozen(), self.folder / "a.pt", "fp32", [torch.ones(1, 1, 2)], [[torch.ones(1, 1, 3)]])

    def test_what_tracing_cannot_follow_is_refused(self) -> None:
        class Untraceable(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> str:
                return "text"

        with self.assertRaisesRegex(Refusal, "odd: expected a network that can be traced"):
            export_traced("odd", Untraceable(), self.folder / "a.pt", "fp32", [torch.ones(1)], [])


if __name__ == "__main__":
    unittest.main()
