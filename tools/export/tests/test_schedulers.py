"""Every scheduler against the diffusers class of the same name, step by step on the same predictions and noise."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import unittest

import torch

from lightswitch_export.noise_schedule import ScheduleConfig
from lightswitch_export.schedulers import SCHEDULERS, scripted

try:
    import diffusers
except ImportError:
    diffusers = None

CLASSES = {
    "ddim": ("DDIMScheduler", ("clip_sample", "clip_sample_range", "set_alpha_to_one", "steps_offset")),
    "pndm": ("PNDMScheduler", ("skip_prk_steps", "set_alpha_to_one", "steps_offset")),
    "euler": (
        "EulerDiscreteScheduler",
        ("use_karras_sigmas", "final_sigmas_type", "steps_offset", "timestep_type", "sigma_min", "sigma_max"),
    ),
    "euler_a": ("EulerAncestralDiscreteScheduler", ("steps_offset",)),
    "dpm++2m": (
        "DPMSolverMultistepScheduler",
        ("use_karras_sigmas", "final_sigmas_type", "lower_order_final", "euler_at_final", "steps_offset"),
    ),
    "unipc": (
        "UniPCMultistepScheduler",
        "use_karras_sigmas final_sigmas_type lower_order_final steps_offset sigma_min sigma_max "
        "solver_order solver_type predict_x0 disable_corrector".split(),
    ),
    "lcm": ("LCMScheduler", ("original_inference_steps", "timestep_scaling", "clip_sample", "clip_sample_range")),
}
SHARED = (
    "num_train_timesteps beta_start beta_end beta_schedule rescale_betas_zero_snr prediction_type timestep_spacing"
).split()


def reference(name: str, config: ScheduleConfig):
    class_name, own = CLASSES[name]
    values = dataclasses.asdict(config)
    shared = [field for field in SHARED if name != "pndm" or field != "rescale_betas_zero_snr"]  # PNDM does not have it
    return getattr(diffusers, class_name)(**{field: values[field] for field in (*shared, *own)})


def model(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """Stands for a denoiser: smooth, bounded, and different at every timestep."""
    return torch.tanh(0.7 * sample + 0.3 * torch.cos(timestep.float() / 97.0))


class Feed:
    """Hands diffusers the noise that the scripted module gets, since its samplers draw their own."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, shape: torch.Size) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator)


@unittest.skipIf(diffusers is None, "diffusers is not installed: no reference to compare with")
class EqualToDiffusers(unittest.TestCase):
    def compare(self, name: str, config: ScheduleConfig, steps: int, strength: float = 1.0) -> None:
        with self.subTest(scheduler=name, steps=steps, strength=strength, config=config):
            expected, timesteps, scale = self.run_reference(name, config, steps, strength)
            found, found_timesteps, found_scale = self.run_scripted(name, config, steps, strength)
            torch.testing.assert_close(found_timesteps, timesteps, rtol=0, atol=1e-3)
            if strength == 1.0:
                self.assertAlmostEqual(found_scale / scale, 1.0, places=5)
            self.assertEqual(len(found), len(expected))
            for place, (a, b) in enumerate(zip(found, expected)):
                torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-5, msg=lambda text: f"step {place}: {text}")

    def run_reference(self, name: str, config: ScheduleConfig, steps: int, strength: float):
        sampler = reference(name, config)
        sampler.set_timesteps(steps)
        first = steps - min(int(steps * strength), steps)
        if hasattr(sampler, "set_begin_index"):
            sampler.set_begin_index(first)
        timesteps = sampler.timesteps[first:]
        scale = float(sampler.init_noise_sigma)
        start = torch.Generator().manual_seed(1)
        x0, noise = torch.randn(2, 2, 4, 4, 6, generator=start)
        sample = noise * scale if strength == 1.0 else sampler.add_noise(x0, noise, timesteps[:1])
        draws = {"generator": Feed(7).generator, "eta": config.eta}
        draws = {key: draws[key] for key in draws if key in inspect.signature(sampler.step).parameters}
        trail = [sample]
        for timestep in timesteps:
            output = model(sampler.scale_model_input(sample, timestep), timestep)
            sample = sampler.step(output, timestep, sample, **draws).prev_sample
            trail.append(sample)
        return trail, timesteps.float(), scale

    def run_scripted(self, name: str, config: ScheduleConfig, steps: int, strength: float):
        sampler = scripted(name, config)
        state = sampler.init(steps, strength)
        scale = sampler.initial_noise_scale(state)
        start = torch.Generator().manual_seed(1)
        x0, noise = torch.randn(2, 2, 4, 4, 6, generator=start)
        sample = noise * scale if strength == 1.0 else sampler.add_noise(x0, noise, 0, state)
        draws = Feed(7)
        trail = [sample]
        for i, timestep in enumerate(state["timesteps"]):
            output = model(sampler.scale_model_input(sample, i, state), timestep)
            fresh = draws.draw(sample.shape) if sampler.needs_noise(i, state) else None
            sample, _, state = sampler.step(output, i, sample, state, fresh)
            trail.append(sample)
        return trail, state["timesteps"], scale

    def test_spacings_predictions_and_step_counts(self) -> None:
        for name, spacing, prediction, steps in itertools.product(
            SCHEDULERS, ("leading", "linspace", "trailing"), ("epsilon", "v_prediction", "sample"), (1, 4, 25, 50)
        ):
            if name in ("euler_a", "pndm") and prediction == "sample":
                continue  # diffusers does not have it
            if name == "lcm" and spacing != "leading":
                continue  # LCM has a spacing of its own
            self.compare(name, ScheduleConfig(timestep_spacing=spacing, prediction_type=prediction), steps)

    def test_strength(self) -> None:
        for name, strength, steps in itertools.product(SCHEDULERS, (0.75, 0.3), (8, 20, 31)):
            self.compare(name, ScheduleConfig(), steps, strength)

    def test_beta_schedules(self) -> None:
        for name, schedule in itertools.product(SCHEDULERS, ("linear", "squaredcos_cap_v2")):
            spacing = "leading" if name == "lcm" else "trailing"
            config = ScheduleConfig(beta_schedule=schedule, prediction_type="v_prediction", timestep_spacing=spacing)
            if schedule == "squaredcos_cap_v2" and name in ("euler", "euler_a"):
                continue  # sigma starts near 20,000: float32 has no five digits left, in diffusers neither
            self.compare(name, config, 20)

    def test_zero_terminal_snr(self) -> None:
        for name in ("ddim", "dpm++2m", "unipc"):
            config = ScheduleConfig(
                rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"
            )
            self.compare(name, config, 20)
            self.compare(name, config, 20, 0.5)

    def test_karras_and_final_sigma(self) -> None:
        names = ("euler", "dpm++2m", "unipc")
        for name, karras, final in itertools.product(names, (False, True), ("zero", "sigma_min")):
            for steps in (6, 20):
                self.compare(name, ScheduleConfig(use_karras_sigmas=karras, final_sigmas_type=final), steps)

    def test_continuous_sigmas_of_video_models(self) -> None:
        config = ScheduleConfig(
            prediction_type="v_prediction", use_karras_sigmas=True, timestep_type="continuous", sigma_min=0.002, sigma_max=700.0
        )
        for steps in (1, 8, 25):
            self.compare("euler", config, steps)

    def test_orders_and_forms_of_unipc(self) -> None:
        for order, solver, on_x0, karras in itertools.product((1, 2, 3), ("bh1", "bh2"), (True, False), (True, False)):
            options = {"solver_order": order, "solver_type": solver, "predict_x0": on_x0, "use_karras_sigmas": karras}
            config = ScheduleConfig(**options, final_sigmas_type="sigma_min")
            for prediction, steps, strength in (("epsilon", 3, 1.0), ("v_prediction", 20, 0.6), ("sample", 8, 1.0)):
                self.compare("unipc", dataclasses.replace(config, prediction_type=prediction), steps, strength)
        for order in (1, 3):
            for steps in (2, 10, 50):
                self.compare("unipc", ScheduleConfig(solver_order=order), steps)

    def test_ends_of_unipc(self) -> None:
        whole = {"lower_order_final": False, "final_sigmas_type": "sigma_min"}
        for order in (2, 3):
            self.compare("unipc", ScheduleConfig(**whole, solver_order=order), 10)
        self.compare("unipc", ScheduleConfig(**whole, use_karras_sigmas=True), 10)
        self.compare("unipc", ScheduleConfig(use_karras_sigmas=True, sigma_min=0.05, sigma_max=12.0), 10)
        # Timesteps are rounded, unlike DPM++ 2M's. Epsilon has no digits left at this schedule's first sigma, near 20,000.
        cosine = ScheduleConfig(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
        self.compare("unipc", dataclasses.replace(cosine, use_karras_sigmas=True), 10)
        for strength in (1.0, 0.5):
            self.compare("unipc", ScheduleConfig(disable_corrector=[0, 1, 6], solver_order=3), 12, strength)

    def test_refuses_of_unipc_what_has_no_end_in_diffusers(self) -> None:
        karras = {"use_karras_sigmas": True, "final_sigmas_type": "sigma_min", "solver_order": 3}
        for field, options in (
            ("solver_type", {"solver_type": "bh1"}),
            ("predict_x0", {"predict_x0": False}),
            ("lower_order_final", {"lower_order_final": False}),
            ("lower_order_final", {"lower_order_final": False, **karras}),
        ):
            config = ScheduleConfig(**options)
            self.assertFalse(self.run_reference("unipc", config, 8, 1.0)[0][-1].isfinite().all())
            with self.assertRaisesRegex(ValueError, field):
                scripted("unipc", config)

    def test_options_of_single_schedulers(self) -> None:
        self.compare("pndm", ScheduleConfig(set_alpha_to_one=True, steps_offset=0), 12)
        self.compare("ddim", ScheduleConfig(eta=0.7), 20)
        self.compare("ddim", ScheduleConfig(eta=1.0, set_alpha_to_one=True, clip_sample=True), 20)
        self.compare("ddim", ScheduleConfig(steps_offset=0), 20)
        self.compare("dpm++2m", ScheduleConfig(euler_at_final=True, final_sigmas_type="sigma_min"), 20)
        self.compare("dpm++2m", ScheduleConfig(lower_order_final=False, final_sigmas_type="sigma_min"), 10)
        self.compare("lcm", ScheduleConfig(original_inference_steps=100, timestep_scaling=5.0), 8)

    def test_reads_the_configuration_that_diffusers_writes(self) -> None:
        for name in SCHEDULERS:
            written = dict(reference(name, ScheduleConfig(prediction_type="v_prediction")).config)
            self.assertEqual(ScheduleConfig.from_diffusers(written).prediction_type, "v_prediction")


class Contract(unittest.TestCase):
    def test_state_is_not_changed_in_place(self) -> None:
        for name in SCHEDULERS:
            sampler = scripted(name, ScheduleConfig())
            state = sampler.init(5, 1.0)
            before = {key: value.clone() for key, value in state.items()}
            sample = torch.randn(1, 4, 4, 4)
            sampler.step(sample, 0, sample, state, torch.randn_like(sample))
            self.assertEqual(sorted(state), sorted(before))
            for key, value in state.items():
                self.assertTrue(torch.equal(value, before[key]))

    def test_predicted_x0_is_the_clean_picture_for_a_perfect_prediction(self) -> None:
        x0, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
        for name in ("ddim", "euler", "euler_a", "dpm++2m", "unipc"):
            sampler = scripted(name, ScheduleConfig())
            state = sampler.init(10, 0.6)
            sample = sampler.add_noise(x0, noise, 0, state)
            _, predicted, _ = sampler.step(noise, 0, sample, state, noise)
            torch.testing.assert_close(predicted, x0, rtol=1e-4, atol=1e-4)

    def test_refuses_bad_input(self) -> None:
        for name in SCHEDULERS:
            sampler = scripted(name, ScheduleConfig())
            for steps, strength, field in ((0, 1.0, "steps"), (1001, 1.0, "steps"), (10, 1.5, "strength")):
                with self.assertRaisesRegex(Exception, field):
                    sampler.init(steps, strength)
        with self.assertRaisesRegex(ValueError, "beta_schedule"):
            ScheduleConfig(beta_schedule="sigmoid")
        with self.assertRaisesRegex(ValueError, "thresholding"):
            ScheduleConfig.from_diffusers({"thresholding": True})
        with self.assertRaisesRegex(ValueError, "skip_prk_steps"):
            scripted("pndm", ScheduleConfig(skip_prk_steps=False))
        for name in ("unipc", "dpm++2m"):
            with self.assertRaisesRegex(ValueError, "solver_order"):
                scripted(name, ScheduleConfig(solver_order=4))
        with self.assertRaisesRegex(ValueError, "solver_type"):
            scripted("dpm++2m", ScheduleConfig(solver_type="heun"))
        with self.assertRaisesRegex(ValueError, "solver_type"):
            ScheduleConfig(solver_type="bh3")
        with self.assertRaisesRegex(ValueError, "solver_p"):
            ScheduleConfig.from_diffusers({"solver_p": "DDIMScheduler"})

    def test_missing_noise_is_an_error(self) -> None:
        for name, config in (("euler_a", ScheduleConfig()), ("lcm", ScheduleConfig()), ("ddim", ScheduleConfig(eta=1.0))):
            sampler = scripted(name, config)
            sample = torch.zeros(1, 4, 4, 4)
            with self.assertRaisesRegex(Exception, "noise"):
                sampler.step(sample, 0, sample, sampler.init(5, 1.0), None)


if __name__ == "__main__":
    unittest.main()
