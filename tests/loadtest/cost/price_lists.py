"""Small price lists in the form of AWS's, with products beside the wanted ones, in a folder that a server can serve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Product = tuple[str, dict[str, str], list[tuple[str, str]]]  # Family, attributes; begin and US dollars of each tier.
SHORT = {"us-east-1": "", "eu-central-1": "EUC1-", "eu-west-1": "EU-"}
LINUX = {
    "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
    "operation": "RunInstances",
}  # fmt: skip


def flat(family: str, usage: str, usd: str, **attributes: str) -> Product:
    return family, {"usagetype": usage, **attributes}, [("0", usd)]


def products(short: str) -> dict[str, list[Product]]:
    """The products of each service in a region with this prefix of usage types."""
    ecs = short or "USE1-"
    return {
        "AWSLambda": [
            ("Serverless", {"usagetype": f"{short}Lambda-GB-Second", "group": "AWS-Lambda-Duration"},
             [("0", "0.0000166667"), ("6000000000", "0.0000150000")]),
            flat("Serverless", "Global-Lambda-GB-Second", "0.0000000000"),
            flat("Serverless", f"{short}Lambda-GB-Second-ARM", "0.0000133334"),
            flat("Serverless", f"{short}Request", "0.0000002000"),
            flat("Serverless", f"{short}Request-ARM", "0.0000002000"),
            flat("Serverless", f"{short}Lambda-Edge-Request", "0.0000006000"),
            flat("Serverless", f"{short}Lambda-Provisioned-Concurrency", "0.0000041667"),
            flat("Serverless", f"{short}Lambda-Provisioned-Concurrency-ARM", "0.0000033334"),
            flat("Serverless", f"{short}Lambda-Provisioned-GB-Second", "0.0000097222"),
        ],
        "AmazonApiGateway": [
            ("API Calls", {"usagetype": f"{ecs}ApiGatewayHttpRequest", "operation": "ApiGatewayHttpApi"},
             [("0", "0.0000010000"), ("300000000", "0.0000009000")]),
            flat("API Calls", f"{ecs}ApiGatewayRequest", "0.0000035000"),
        ],
        "AmazonECS": [
            flat("Compute", f"{ecs}Fargate-vCPU-Hours:perCPU", "0.0404800000"),
            flat("Compute", f"{ecs}Fargate-GB-Hours", "0.0044450000"),
            flat("Compute", f"{ecs}Fargate-ARM-vCPU-Hours:perCPU", "0.0323800000"),
            flat("Compute", f"{ecs}Fargate-ARM-GB-Hours", "0.0035600000"),
            flat("Compute", f"{ecs}Fargate-Windows-vCPU-Hours:perCPU", "0.0465520000"),
            flat("Compute", f"{ecs}ECS-EC2-vCPU-Hours", "0.0000000000"),
        ],
        "AWSELB": [
            flat("Load Balancer-Application", f"{short}LoadBalancerUsage", "0.0225000000"),
            flat("Load Balancer-Application", f"{short}LCUUsage", "0.0080000000"),
            flat("Load Balancer-Network", f"{short}LCUUsage", "0.0060000000"),
            flat("Load Balancer", f"{short}LoadBalancerUsage", "0.0250000000"),
        ],
        "AmazonEC2": [
            flat("Compute Instance", f"{short}BoxUsage:t3a.xlarge", "0.1504000000", **LINUX),
            flat("Compute Instance", f"{short}BoxUsage:t3a.xlarge", "0.2240000000",
                 **LINUX | {"operatingSystem": "Windows", "operation": "RunInstances:0002"}),
            flat("Compute Instance", f"{short}BoxUsage:t3a.xlarge", "0.6304000000",
                 **LINUX | {"preInstalledSw": "SQL Std", "operation": "RunInstances:0004"}),
            flat("Compute Instance", f"{short}UnusedBox:t3a.xlarge", "0.1504000000",
                 **LINUX | {"capacitystatus": "UnusedCapacityReservation"}),
            flat("Compute Instance", f"{short}BoxUsage:c6a.xlarge", "0.1530000000", **LINUX),
            flat("Compute Instance", f"{short}BoxUsage:x9.large", "9.0000000000", **LINUX),
            flat("CPU Credits", f"{short}CPUCredits:t3", "0.0500000000", operatingSystem="Linux"),
            flat("CPU Credits", f"{short}CPUCredits:t3", "0.0960000000", operatingSystem="Windows"),
        ],
    }  # fmt: skip


def offer(service: str, region: str, listed: list[Product]) -> dict[str, Any]:
    """The content of one file."""
    skus = {f"{service[:6].upper()}{number:010d}": product for number, product in enumerate(listed)}
    return {
        "formatVersion": "v1.0",
        "disclaimer": "This pricing list is for informational purposes only.",
        "offerCode": service,
        "version": "20261120101500",
        "publicationDate": "2026-11-20T10:15:00Z",
        "products": {
            sku: {
                "sku": sku,
                "productFamily": family,
                "attributes": {"servicecode": service, "regionCode": region, "locationType": "AWS Region"} | attributes,
            }
            for sku, (family, attributes, _) in skus.items()
        },
        "terms": {
            "OnDemand": {sku: {f"{sku}.JRTCKXETXF": term(sku, tiers)} for sku, (_, _, tiers) in skus.items()},
            "Reserved": {sku: {f"{sku}.4NA7Y494T4": {"sku": sku}} for sku in skus},
        },
        "attributesList": {},
    }


def term(sku: str, tiers: list[tuple[str, str]]) -> dict[str, Any]:
    ends = [begin for begin, _ in tiers[1:]] + ["Inf"]
    return {
        "offerTermCode": "JRTCKXETXF",
        "sku": sku,
        "effectiveDate": "2026-11-01T00:00:00Z",
        "priceDimensions": {
            f"{sku}.JRTCKXETXF.{number}": {
                "unit": "Hrs", "beginRange": begin, "endRange": end, "description": "", "appliesTo": [],
                "rateCode": f"{sku}.JRTCKXETXF.{number}", "pricePerUnit": {"USD": usd},
            }
            for number, ((begin, usd), end) in enumerate(zip(tiers, ends, strict=True))
        },
        "termAttributes": {},
    }  # fmt: skip


def path_of(root: Path, service: str, region: str) -> Path:
    """The file of a service in a region."""
    return root / "offers" / "v1.0" / "aws" / service / "20261120101500" / region / "index.json"


def write_lists(root: Path) -> None:
    """Write the indexes and files of all services and regions."""
    for region, short in SHORT.items():
        for service, listed in products(short).items():
            file = path_of(root, service, region)
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(offer(service, region, listed), indent=2))
    for service in products(""):
        index = {
            "formatVersion": "v1.0",
            "publicationDate": "2026-11-20T10:15:00Z",
            "regions": {
                region: {
                    "regionCode": region,
                    "currentVersionUrl": "/" + str(path_of(Path(), service, region)),
                }
                for region in SHORT
            },
        }
        file = root / "offers" / "v1.0" / "aws" / service / "current" / "region_index.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(index))
