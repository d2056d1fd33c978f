"""A diffusers folder: what its model_index.json lists, and its components one at a time, so that one is in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from .refusal import Refusal, require


class Source:
    """Reads from disk alone; nothing is downloaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / "model_index.json"
        if not index.is_file():
            raise Refusal("model_index.json", f"a diffusers pipeline in {folder}", "no such file")
        try:
            self.index: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Refusal("model_index.json", "JSON", str(error)) from error
        require(isinstance(self.index, dict), "model_index.json", "an object", type(self.index).__name__)

    @property
    def pipeline(self) -> str:
        return str(self.index.get("_class_name"))

    def class_name(self, component: str) -> str | None:
        """Class of a component, None where the pipeline goes without it."""
        entry = self.index.get(component)
        return entry[1] if isinstance(entry, list) and len(entry) == 2 else None

    def option(self, name: str, default: Any) -> Any:
        return self.index.get(name, default)

    def config(self, component: str, file: str) -> dict[str, Any]:
        path = self.folder / component / file
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refusal(component, f"a readable {file}", str(error)) from error

    def network(self, component: str, *classes: type) -> torch.nn.Module:
        """A component's network in fp32, ready to run. @raises Refusal when it is of none of the classes."""
        found = self.class_name(component)
        by_name = {known.__name__: known for known in classes}
        require(found in by_name, component, " or ".join(by_name), found or "none")
        try:
            network = by_name[found].from_pretrained(
                self.folder,
                subfolder=component,
                torch_dtype=torch.float32,
                variant=self._variant(component),
                local_files_only=True,
                low_cpu_mem_usage=False,  # True needs a library more, and saves nothing that matters here
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise Refusal(component, "weights that its class loads", str(error).splitlines()[0]) from error
        return network.eval().requires_grad_(False)

    def tokenizer(self, component: str) -> Any:
        from transformers import CLIPTokenizer

        found = self.class_name(component)
        require(found in ("CLIPTokenizer", "CLIPTokenizerFast"), component, "CLIPTokenizer", found or "none")
        try:
            return CLIPTokenizer.from_pretrained(self.folder, subfolder=component, local_files_only=True)
        except (OSError, ValueError) as error:
            raise Refusal(component, "a tokenizer's files", str(error).splitlines()[0]) from error

    def scheduler(self) -> Any:
        """The pipeline's own scheduler as diffusers builds it."""
        import diffusers

        found = self.class_name("scheduler")
        known = getattr(diffusers, found or "", None)
        require(known is not None, "scheduler", "a scheduler that diffusers has", found or "none")
        return known.from_pretrained(self.folder, subfolder="scheduler", local_files_only=True)

    def licence(self) -> str:
        """What the model card's header says, for the package's own."""
        card = self.folder / "README.md"
        lines = card.read_text(encoding="utf-8", errors="replace").splitlines() if card.is_file() else []
        for line in lines[1:] if lines[:1] == ["---"] else []:
            if line.strip() == "---":
                break
            if line.startswith(("license:", "licence:")):
                return line.split(":", 1)[1].strip()
        return "not stated by the exported folder"

    def _variant(self, component: str) -> str | None:
        """Half-precision files are read where they are all that there is."""
        names = [path.name for path in (self.folder / component).glob("*.safetensors*")]
        return "fp16" if names and all(".fp16" in name for name in names) else None
