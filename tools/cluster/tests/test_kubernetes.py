"""The manifest against what Kubernetes' documentation of batch/v1 asks of an Indexed Job, without a cluster."""

from __future__ import annotations

import re
import shlex
import unittest

import yaml

from tests.rehearsal import CLUSTER

# Fields of the API (1.29 and newer) that a manifest of ours may have; an unknown one is dropped silently by old servers.
JOB_SPEC = {
    "activeDeadlineSeconds", "backoffLimit", "backoffLimitPerIndex", "completionMode", "completions", "manualSelector",
    "maxFailedIndexes", "parallelism", "podFailurePolicy", "podReplacementPolicy", "selector", "successPolicy", "suspend",
    "template", "ttlSecondsAfterFinished",
}  # fmt: skip
ACTIONS = {"FailIndex", "FailJob", "Ignore", "Count"}
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
MOST_INDEXES = 100_000  # with backoffLimitPerIndex; and 10,000 at a time


class Kubernetes(unittest.TestCase):
    def setUp(self) -> None:
        (self.job,) = yaml.safe_load_all((CLUSTER / "kubernetes/job.yaml").read_text())
        self.spec = self.job["spec"]
        self.pod = self.spec["template"]["spec"]
        (self.container,) = self.pod["containers"]

    def test_it_is_an_indexed_job(self) -> None:
        self.assertEqual((self.job["apiVersion"], self.job["kind"]), ("batch/v1", "Job"))
        self.assertRegex(self.job["metadata"]["name"], r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
        self.assertEqual(set(self.spec) - JOB_SPEC, set())
        self.assertEqual(self.spec["completionMode"], "Indexed")
        self.assertTrue(0 < self.spec["parallelism"] <= self.spec["completions"] <= MOST_INDEXES)
        self.assertEqual(self.pod["restartPolicy"], "Never")  # podFailurePolicy is refused with any other

    def test_42_fails_the_index_and_nothing_else_does(self) -> None:
        rules = self.spec["podFailurePolicy"]["rules"]
        self.assertLessEqual(len(rules), 20)
        for rule in rules:
            self.assertIn(rule["action"], ACTIONS)
            self.assertEqual(len({"onExitCodes", "onPodConditions"} & set(rule)), 1, "exactly one of the two")
        (fails,) = [rule["onExitCodes"] for rule in rules if rule["action"] == "FailIndex"]
        self.assertEqual(fails, {"containerName": self.container["name"], "operator": "In", "values": [42]})
        conditions = [rule["onPodConditions"] for rule in rules if rule["action"] == "Ignore"]
        self.assertEqual(conditions, [[{"type": "DisruptionTarget", "status": "True"}]])
        # FailIndex is allowed only where indexes have a limit of their own.
        self.assertGreater(self.spec["backoffLimitPerIndex"], 0)
        self.assertLessEqual(self.spec["maxFailedIndexes"], self.spec["completions"])

    def test_an_index_is_a_shard_and_the_program_gets_the_signal(self) -> None:
        environment = {entry["name"]: entry["value"] for entry in self.container["env"]}
        self.assertEqual(environment["SHARDS"], str(self.spec["completions"]))
        self.assertEqual(self.container["command"], ["/bin/sh", "-c"])
        (line,) = self.container["args"]
        words = shlex.split(line)
        self.assertEqual(words[:3], ["exec", "lightswitch", "batch"])  # without exec the shell would keep SIGTERM
        self.assertEqual(words[words.index("--shard") + 1], "$JOB_COMPLETION_INDEX/$SHARDS")
        self.assertIn("--resume", words)
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], 30)

    def test_volumes_and_resources_are_whole(self) -> None:
        volumes = {volume["name"] for volume in self.pod["volumes"]}
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        self.assertEqual(set(mounts), volumes)
        words = shlex.split(self.container["args"][0])
        for path in (words[3], words[words.index("-o") + 1]):
            self.assertTrue(any(path.startswith(mount + "/") for mount in mounts.values()), path)
        for quantities in self.container["resources"].values():
            for quantity in quantities.values():
                self.assertTrue(QUANTITY.fullmatch(str(quantity)), quantity)
