"""The steps of a rollout; each is skipped if an earlier run has done it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from deployment.rollout import push, registry
from deployment.rollout.config import Config
from deployment.rollout.cost import at_rest, region_prices
from deployment.rollout.errors import RolloutError
from deployment.rollout.files import smoke_command, variables_of, write_module, write_values
from deployment.rollout.lookups import check_buckets, check_digest, repository_of
from deployment.rollout.terraform import Plan, Terraform
from loadtest.cost.prices import RegionPrices, load_prices
from local.containers import container_engine

# In a plan made before the image is pushed; the digest is known afterwards.
NOT_YET = "sha256:" + "0" * 64


def say(text: str) -> None:
    """Tell the user about a step."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Rollout:
    """One deployment; `scratch` is a private folder, and `agreed` asks the user a question."""

    def __init__(
        self, config: Config, scratch: Path, agreed: Callable[[str], bool], *, values_only: bool = False
    ) -> None:
        self.config = config
        self._values_only = values_only
        self._terraform = Terraform(config.folder, scratch)
        self._agreed = agreed

    def apply(self, model: str, digest: str | None, *, with_cost: bool, only_plan: bool) -> None:
        """Build, push, plan and apply; raises RolloutError. Before the user agrees nothing in AWS is changed."""
        config, spec = self.config, self.config.spec
        prices = region_prices(load_prices(), config.region) if with_cost else None
        arn, url = repository_of(config)
        for line in check_buckets(config):
            say(f"note: {line}")
        tag = "" if digest else push.tag_of(model, spec["architecture"])
        digest = self._in_ecr(tag, digest)
        built = bool(digest) or push.check_architecture(container_engine(), tag, spec["architecture"])
        preview = self._preview(f"{url}@{digest or NOT_YET}", arn)
        self._show(preview)
        if prices is not None:
            self._show_cost(preview, prices)
        if only_plan:
            return
        if not preview.changes:
            self._finish()
            return
        if not self._agreed(f"Roll out {config.name} to {config.region}?"):
            raise RolloutError("nothing was changed")
        digest = self._pushed(model, tag, url, digest, built=built)
        say(f"planning with {digest}")
        values = {**spec, "repository_arn": arn}
        write_values(config.module, config.name, values, config.folder, image_uri=f"{url}@{digest}")
        plan = self._terraform.plan("plan")
        if set(plan.changes) != set(preview.changes):
            self._show(plan)
            raise RolloutError("the deployment has changed since you agreed; the new plan is above: run it again")
        registry.mark(spec, config.name, registry.APPLIED)
        self._terraform.apply(plan)
        self._finish()

    def destroy(self, *, only_plan: bool) -> None:
        """Destroy all resources, then the repository unless others use it; raises RolloutError."""
        config, spec = self.config, self.config.spec
        arn, url = repository_of(config)
        tags = registry.look_at_repository(spec)
        plan = self._preview(f"{url}@{NOT_YET}", arn, destroy=True)
        if not self._terraform.has_state() and tags.get(f"{registry.TAG}{config.name}") == registry.APPLIED:
            registry.delete_repository(spec, config.name)  # Refuses, and says why.
        self._show(plan)
        if only_plan:
            return
        others = [tag for tag in tags if tag.startswith(registry.TAG) and tag != f"{registry.TAG}{config.name}"]
        images = "" if others or not tags else f" and ECR repository {spec['repository']} with its images"
        if not plan.changes and not tags:
            say("nothing is left")
            return
        if not self._agreed(f"Destroy {config.name} in {config.region}{images}?"):
            raise RolloutError("nothing was changed")
        if plan.changes:
            self._terraform.apply(plan)
        registry.mark(spec, config.name, registry.USED)
        say(registry.delete_repository(spec, config.name) or f"{config.name} and its images are gone")

    def _preview(self, image_uri: str, arn: str, *, destroy: bool = False) -> Plan:
        """A plan with an image that the folder's values do not have yet, because bentoctl reads them too."""
        config = self.config
        write_module(config.module, config.name, config.spec, config.folder, values_only=self._values_only)
        self._terraform.init()
        self._check_owner()
        write_values(config.module, config.name, config.spec, config.folder, image_uri=None)
        values = {"image_uri": image_uri, "repository_arn": arn}
        known = variables_of(config.module)
        return self._terraform.plan("preview", {k: v for k, v in values.items() if k in known}, destroy=destroy)

    def _check_owner(self) -> None:
        """Raise RolloutError if the state is of another deployment, whose resources a plan would replace."""
        tagged = (one["values"].get("tags_all") or {} for one in self._terraform.resources())
        other = next((tags["Deployment"] for tags in tagged if tags.get("Deployment")), self.config.name)
        if other != self.config.name:
            raise RolloutError(
                f"the state in {self.config.folder} is of deployment {other}, the config names {self.config.name}: "
                f"name it {other} again, or use a folder of its own by --config"
            )

    def _show(self, plan: Plan) -> None:
        count = {sign: sum(one == sign for one, _ in plan.changes) for sign in ("+", "~", "-", "-/+")}
        say(
            f"{self.config.name} in {self.config.region}: create {count['+']}, change {count['~']}, "
            f"replace {count['-/+']}, destroy {count['-']}"
        )
        for sign, address in plan.changes:
            say(f"  {sign:>3} {address}")

    def _show_cost(self, plan: Plan, prices: RegionPrices) -> None:
        lines, without = at_rest(plan.resources, prices, self.config.spec["architecture"])
        say(f"at rest it costs {sum(usd for _, usd in lines):.0f} USD a month, without {without}")
        for what, usd in lines:
            say(f"  {usd:7.2f} {what}")

    def _in_ecr(self, tag: str, digest: str | None) -> str | None:
        """The digest that the user names, or that of the tag; None if ECR does not have it yet."""
        if digest is None:
            found = registry.find_image(self.config.spec, imageTag=tag)
            return str(found["imageDigest"]) if found else None
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise RolloutError(f"--digest {digest[:100]} is not sha256: and 64 hexadecimal digits")
        check_digest(self.config, digest)
        return digest

    def _pushed(self, model: str, tag: str, url: str, digest: str | None, *, built: bool) -> str:
        """The digest of the image in ECR, built and pushed where it is not there yet."""
        spec, name = self.config.spec, self.config.name
        if digest:
            say(f"image {digest} is in ECR already: neither built nor pushed")
            registry.create_repository(spec, name)
            return digest
        engine = container_engine()
        if built:
            say(f"image yolov7:{tag} is here already: not built again")
        else:
            say(f"building yolov7:{tag} with {model}")
            push.build(model, tag, spec["architecture"])
            push.check_architecture(engine, tag, spec["architecture"])
        _, _, user, password = registry.create_repository(spec, name)
        say(f"pushing {url}:{tag}")
        return push.push(engine, self.config, tag, url, user, password)

    def _finish(self) -> None:
        endpoint = self._terraform.output("endpoint")
        say(f"{self.config.name} is rolled out" + (f": {endpoint}" if endpoint else ""))
        if endpoint:
            say(f"to check it: {smoke_command(endpoint, self.config.spec)}")
