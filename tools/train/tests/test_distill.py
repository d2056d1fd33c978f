"""Distilling: a teacher from its files, photographs with their latents, and a whole small run."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from train import distill
from train.decoder import build
from train.photographs import Crops, find, given_latents, kept, read
from train.runs import CONFIGS, read_config
from train.teacher import load_teacher
from train.tiny import TinyDecoder, TinyEncoder


def prefixed(network: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in network.state_dict().items()}


def original(network: torch.nn.Module, shift: int) -> dict[str, torch.Tensor]:
    split = {name: name.split(".", 2)[1:] for name in network.state_dict()}
    return {f"{int(split[k][0]) + shift}.{split[k][1]}": v for k, v in network.state_dict().items()}


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name)
        torch.manual_seed(0)

    def file(self, name: str, tensors: dict[str, torch.Tensor]) -> Path:
        save_file(tensors, self.folder / name)
        return self.folder / name

    def teacher_file(self) -> Path:
        encoder, decoder = TinyEncoder(8), TinyDecoder(8)
        return self.file("teacher.safetensors", prefixed(encoder, "encoder.") | prefixed(decoder, "decoder."))

    def photographs(self, count: int, size: tuple[int, int] = (40, 32)) -> Path:
        folder = self.folder / "photographs"
        folder.mkdir(exist_ok=True)
        for i in range(count):
            pixels = torch.randint(256, (size[1], size[0], 3), dtype=torch.uint8).numpy()
            Image.fromarray(pixels).save(folder / f"{i:02}.png")
        return folder


class Teachers(InFolder):
    def test_both_layouts_give_the_same_teacher(self) -> None:
        encoder, decoder = TinyEncoder(8, 6, True), TinyDecoder(8, 6, True)
        halves = prefixed(encoder, "encoder.") | prefixed(decoder, "decoder.")
        one = load_teacher([self.file("both.safetensors", halves)])
        torch.save(original(decoder, 1), self.folder / "decoder.pth")
        two = load_teacher([self.folder / "decoder.pth", self.file("encoder.safetensors", original(encoder, 0))])
        picture = torch.rand(1, 3, 16, 24) * 2 - 1
        for teacher in (one, two):
            self.assertEqual(teacher.latent_channels, 6)
            torch.testing.assert_close(teacher.encoder(picture), encoder(picture), rtol=0, atol=0)
            z = encoder(picture)
            torch.testing.assert_close(teacher.decoder(z), decoder(z), rtol=0, atol=0)
        self.assertNotEqual(one.digest, two.digest)

    def test_what_is_wrong_is_named(self) -> None:
        decoder = original(TinyDecoder(8), 1)
        whole = self.file("whole.safetensors", decoder)
        cases = {
            "no decoder": [self.file("encoder.safetensors", original(TinyEncoder(8), 0))],
            "second decoder": [whole, whole],
            "neither half": [self.file("other.safetensors", {"conv_in.weight": torch.zeros(1)})],
            "no last convolution": [self.file("cut.safetensors", {k: v for k, v in decoder.items() if not k.startswith("19.")})],
            "not the decoder": [self.file("hole.safetensors", {k: v for k, v in decoder.items() if not k.startswith("8.")})],
            "latent channels": [whole, self.file("six.safetensors", original(TinyEncoder(8, 6), 0))],
        }
        for message, paths in cases.items():
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                load_teacher(paths)

    def test_a_folder_must_be_an_autoencoder_of_factor_eight(self) -> None:
        with self.assertRaisesRegex(ValueError, "diffusion_pytorch_model.safetensors"):
            load_teacher([self.folder])
        self.file("diffusion_pytorch_model.safetensors", {"conv_in.weight": torch.zeros(1)})
        fitting = {"_class_name": "AutoencoderKL", "layers_per_block": 2, "act_fn": "silu", "block_out_channels": [8] * 4}
        fitting |= {"norm_num_groups": 4, "latent_channels": 4, "scaling_factor": 1.0}
        without = {key: value for key, value in fitting.items() if key != "norm_num_groups"}
        (self.folder / "config.json").write_text(json.dumps(without))
        with self.assertRaisesRegex(ValueError, "norm_num_groups: expected a value"):
            load_teacher([self.folder])
        for change, message in (
            ({"_class_name": "VQModel"}, "_class_name: expected AutoencoderKL, found VQModel"),
            ({"layers_per_block": 1}, "layers_per_block: expected 2, found 1"),
            ({"block_out_channels": [8] * 3}, "block_out_channels: expected four"),
            ({}, "not as config.json says"),
        ):
            (self.folder / "config.json").write_text(json.dumps(fitting | change))
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                load_teacher([self.folder])

    def test_files_that_are_no_weights_are_refused(self) -> None:
        torch.save({"weight": torch.zeros(1), "hook": os.getcwd}, self.folder / "runs_code.pth")
        torch.save([torch.zeros(1)], self.folder / "list.pth")
        (self.folder / "text.pth").write_text("weights")
        (self.folder / "text.safetensors").write_text("weights")
        for name in ("runs_code.pth", "list.pth", "text.pth", "text.safetensors"):
            with self.subTest(name), self.assertRaisesRegex(ValueError, name):
                load_teacher([self.folder / name])


class Photographs(InFolder):
    def test_sides_are_the_middle_and_divide_by_eight(self) -> None:
        folder = self.photographs(1, (45, 34))
        picture = read(folder / "00.png")
        whole = np.asarray(Image.open(folder / "00.png"))
        np.testing.assert_array_equal(picture, whole[1:33, 2:42])
        self.assertEqual(read(folder / "00.png", 16).shape, (16, 16, 3))
        with self.assertRaisesRegex(ValueError, "45x7"):
            read(self.photographs(1, (45, 7)) / "00.png")

    def test_a_folder_without_pictures_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "no pictures"):
            find(self.folder)

    def test_crops_of_pictures_and_latents_are_of_one_place(self) -> None:
        place = torch.arange(5 * 7).reshape(1, 5, 7)
        picture = place[0].repeat_interleave(8, 0).repeat_interleave(8, 1).to(torch.uint8)[..., None].repeat(1, 1, 3)
        crops = Crops({"a": picture.numpy(), "small": picture[:8].numpy()}, {"a": 255 - picture}, {"a": place.half()}, 16)
        photographs, taught, z = crops.batch(400)
        self.assertEqual((photographs.shape, z.shape), ((400, 3, 16, 16), (400, 1, 2, 2)))
        shown = ((photographs[:, :1, ::8, ::8] + 1) * 127.5).round()
        torch.testing.assert_close(shown, z)
        torch.testing.assert_close(taught, -photographs)
        self.assertEqual({float(v) for v in z[:, 0, 0, 0]}, {float(7 * y + x) for y in range(4) for x in range(6)})
        with self.assertRaisesRegex(ValueError, "48x48"):
            Crops({"a": picture.numpy()}, {"a": picture}, {"a": place}, 48)

    def test_results_are_kept_for_the_same_teacher_only(self) -> None:
        made = []
        make = lambda name: made.append(name) or torch.tensor([len(made)])
        path = self.folder / "latents.safetensors"
        with contextlib.redirect_stderr(io.StringIO()):
            for teacher, names in (("a", ["x", "y"]), ("a", ["x", "y"]), ("b", ["x", "y"]), ("b", ["x"])):
                values = kept(path, names, {"teacher": teacher}, make)
        self.assertEqual(made, ["x", "y", "x", "y", "x"])
        self.assertEqual({name: value.tolist() for name, value in values.items()}, {"x": [5]})

    def test_given_latents_must_fit_their_pictures(self) -> None:
        path = self.file("z.safetensors", {"a": torch.zeros(4, 4, 5)})
        fitting = {"a": np.zeros((32, 40, 3), np.uint8)}
        self.assertEqual(set(given_latents(path, fitting, 4)), {"a"})
        for pictures, channels in ((fitting, 6), ({"a": np.zeros((40, 32, 3), np.uint8)}, 4), ({"b": fitting["a"]}, 4)):
            with self.assertRaisesRegex(ValueError, "expected latents"):
                given_latents(path, pictures, channels)


class Students(unittest.TestCase):
    def test_students_by_name(self) -> None:
        presets = read_config(CONFIGS / "distill.json")["vit"]
        z = torch.randn(1, 32, 4, 6)
        for text, family in (("tae:12", "taming"), ("vit:small", "vit")):
            config = distill.student(text, presets, 32)
            self.assertEqual(config["family"], family)
            self.assertEqual(build(config)(z).shape, (1, 3, 32, 48))
        for text in ("tae:0", "tae:", "tae:big", "vit:huge", "vit", "kl:32"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "student"):
                distill.student(text, presets, 32)
        with self.assertRaisesRegex(ValueError, "divide 128"):
            distill.student("vit:small", presets, 12)


class WholeRun(InFolder):
    def distill(self, *options: object) -> str:
        said = io.StringIO()
        with (
            mock.patch.dict(os.environ, LIGHTSWITCH_RUNS=str(self.folder / "runs")),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            distill.command([str(option) for option in ("--minutes", "0.01", *options)])
        return said.getvalue()

    def config(self) -> Path:
        path = self.folder / "config.json"
        path.write_text((CONFIGS / "distill.json").read_text().replace('"crop": 128', '"crop": 16'))
        return path

    def test_held_out_pictures_are_never_trained_on(self) -> None:
        pictures = find(self.photographs(12))
        training, held_out = distill.split(pictures, None)
        self.assertEqual((list(held_out), len(training)), (["00.png", "10.png"], 10))
        chosen = {"another/name.png": pictures["03.png"]}
        training, held_out = distill.split(pictures, chosen)
        self.assertEqual((held_out, "03.png" in training, len(training)), (chosen, False, 11))
        with self.assertRaisesRegex(ValueError, "left to train on"):
            distill.split(chosen, pictures)

    def test_a_student_is_trained_scored_and_written(self) -> None:
        teacher, photographs, output = self.teacher_file(), self.photographs(4), self.folder / "light.safetensors"
        common = ("--teacher", teacher, "--images", photographs, "--config", self.config(), "-o", output)
        said = self.distill(*common, "--student", "tae:4")
        self.assertRegex(said, r"\| teacher \| .*\n\| tae:4 \| ")
        weights = load_file(output)
        self.assertEqual(weights["decoder.layers.0.weight"].shape, (4, 4, 3, 3))
        self.assertEqual({value.dtype for value in weights.values()}, {torch.float16})
        TinyDecoder(4).load_state_dict({name.removeprefix("decoder."): value for name, value in weights.items()})
        with self.assertRaisesRegex(SystemExit, "its model is"):
            self.distill(*common, "--student", "tae:5")

    def test_given_latents_need_no_encoder(self) -> None:
        decoder = self.file("decoder.safetensors", prefixed(TinyDecoder(8), "decoder."))
        photographs, output = self.photographs(3), self.folder / "light.safetensors"
        common = ("--teacher", decoder, "--images", photographs, "--config", self.config(), "--student", "vit:small", "-o", output)
        with self.assertRaisesRegex(SystemExit, "no encoder"):
            self.distill(*common)
        latents = self.file("z.safetensors", {name: torch.randn(4, 4, 5) for name in find(photographs)})
        self.distill(*common, "--latents", latents)
        self.assertEqual(load_file(output)["project_in.main.conv.weight"].shape, (128, 4, 3, 3))


if __name__ == "__main__":
    unittest.main()
