"""What the Kubernetes manifests promise: valid by schema, and of a piece with one another."""

from typing import Any, Final

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from app.settings import Settings
from app.settings.sources import SECRET_FIELDS, SECRETS_DIR, variables_of
from tests.architecture.sources import ROOT

FOLDER: Final = ROOT / "deploy/kubernetes"
VERSIONS: Final = ("1.30", "1.33", "1.37")
BREATH_SECONDS: Final = 5
OF_KUSTOMIZE: Final = "kustomize.config.k8s.io/v1beta1"

Manifest = dict[str, Any]


def manifests(folder: str) -> list[Manifest]:
    return [
        document
        for path in sorted((FOLDER / folder).glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text("utf-8"))
    ]


BASE: Final = manifests("base")
RESOURCES: Final = [
    one for one in (*BASE, *manifests("example")) if one["apiVersion"] != OF_KUSTOMIZE
]


def of_kind(kind: str, name: str = "stateroom") -> Manifest:
    return next(
        one for one in BASE if (one["kind"], one.get("metadata", {}).get("name")) == (kind, name)
    )


SERVER: Final = of_kind("StatefulSet")["spec"]["template"]["spec"]
MIGRATION: Final = of_kind("Job", "stateroom-migrate")["spec"]["template"]["spec"]
PODS: Final = [pytest.param(SERVER, id="server"), pytest.param(MIGRATION, id="migration")]


def variables(pod: Manifest) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "manifest", RESOURCES, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}"
)
def test_every_manifest_is_valid_and_has_no_unknown_field(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_check_of_the_schema_refuses_a_field_that_there_is_not() -> None:
    spoilt = {**of_kind("Service"), "spec": {"selectors": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spoilt, VERSIONS[-1], strict=True)


def test_kustomize_is_told_of_every_manifest_of_the_base_and_names_no_namespace() -> None:
    told = next(one for one in BASE if one["apiVersion"] == OF_KUSTOMIZE)
    there = {path.name for path in (FOLDER / "base").glob("*.yaml")}
    assert set(told["resources"]) == there - {"kustomization.yaml"}
    assert not any("namespace" in one.get("metadata", {}) for one in BASE)


@pytest.mark.parametrize("pod", PODS)
def test_every_pod_keeps_to_the_restricted_security_standard(pod: Manifest) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= set(pod["containers"][0]["resources"])


@pytest.mark.parametrize("pod", PODS)
def test_every_variable_is_a_setting_and_no_service_adds_others(pod: Manifest) -> None:
    known = {variable for field in Settings.model_fields for variable in variables_of(field)}
    assert set(variables(pod)) <= known | {SECRETS_DIR}
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize("pod", PODS)
def test_secrets_are_mounted_where_the_settings_look_and_called_as_they_are(pod: Manifest) -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["secrets"] == variables(pod)[SECRETS_DIR]
    assert pod["volumes"][-1]["secret"]["secretName"] == "stateroom"
    wanted = {variable.lower() for field in SECRET_FIELDS for variable in variables_of(field)}
    example = next(one for one in manifests("example") if one["apiVersion"] == OF_KUSTOMIZE)
    keys = {file.removeprefix("secrets/") for file in example["secretGenerator"][0]["files"]}
    assert keys <= wanted
    assert keys >= {item["key"] for item in MIGRATION["volumes"][-1]["secret"]["items"]}


def test_a_pod_has_the_time_to_leave_in_good_order() -> None:
    waits = int(SERVER["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    drains = float(variables(SERVER)["STATEROOM_SHUTDOWN_SECONDS"])
    assert SERVER["terminationGracePeriodSeconds"] >= waits + drains + BREATH_SECONDS
    readiness = SERVER["containers"][0]["readinessProbe"]
    assert waits >= readiness["periodSeconds"] * readiness["failureThreshold"]


def test_only_the_probe_that_costs_a_pod_nothing_but_its_clients_asks_the_database() -> None:
    paths = {
        probe: SERVER["containers"][0][probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }


def test_others_dial_the_pod_itself_and_the_policy_lets_them_and_nobody_else_in() -> None:
    settings = variables(SERVER)
    told = [one for one in SERVER["containers"][0]["env"] if "valueFrom" in one]
    assert [(one["name"], one["valueFrom"]["fieldRef"]["fieldPath"]) for one in told] == [
        ("STATEROOM_INTERNAL_ADDRESS", "status.podIP")
    ]
    first = int(settings["STATEROOM_INTERNAL_PORT"])
    last = first + int(settings["STATEROOM_WORKERS"]) - 1
    ports = {port["containerPort"] for port in SERVER["containers"][0]["ports"]}
    assert ports == {8000, *range(first, last + 1)}
    clients, links = of_kind("NetworkPolicy")["spec"]["ingress"]
    assert clients == {"ports": [{"protocol": "TCP", "port": "http"}]}
    assert links["from"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "stateroom"}}}
    ]
    assert links["ports"][0]["port"] == first
    assert links["ports"][0]["endPort"] >= last


def test_services_policies_and_budgets_mean_the_pods_that_there_are() -> None:
    labels = of_kind("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    named = of_kind("StatefulSet")["spec"]["serviceName"]
    links = of_kind("Service", named)["spec"]
    assert links["clusterIP"] == "None"
    assert of_kind("StatefulSet")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("Service")["spec"]["selector"] == links["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    migration = of_kind("Job", "stateroom-migrate")["spec"]["template"]["metadata"]["labels"]
    assert migration["app.kubernetes.io/name"] not in labels.values()
