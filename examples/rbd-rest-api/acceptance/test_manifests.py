"""The manifests are right by Kubernetes' schemas, fit each other, and fit the program."""

import copy
import os
import pathlib
import re
import subprocess

import kubernetes_validate
import pytest
import yaml

DEPLOY = pathlib.Path(__file__).parents[1] / "deploy"
MANIFESTS = DEPLOY / "kubernetes"
# The oldest that is still looked after, and the newest that the validator has.
RELEASES = ["1.32", "1.37"]


def documents(name="*.yaml"):
    paths = [path for path in sorted(MANIFESTS.glob(name)) if path.name != "kustomization.yaml"]
    return [document for path in paths for document in yaml.safe_load_all(path.read_text())]


def one(kind):
    found = [document for document in documents() if document["kind"] == kind]
    assert len(found) == 1, kind
    return found[0]


@pytest.fixture
def deployment():
    return one("Deployment")["spec"]


@pytest.fixture
def pod(deployment):
    return deployment["template"]["spec"]


@pytest.fixture
def container(pod):
    (container,) = pod["containers"]
    return container


def secrets():
    return {document["metadata"]["name"]: document for document in documents("secrets.yaml")}


@pytest.fixture(scope="module")
def settings():
    """The environment variables that the program knows, with its defaults."""
    text = subprocess.run([os.environ["RBD_REST_API"], "--help"], capture_output=True, text=True, check=True).stdout
    options = re.split(r"\n\s+(?=--)", text)
    variables = {}
    for option in options[1:]:
        name = re.search(r"\[env: (\w+)=", option)
        default = re.search(r"\[default: ([^\]]+)\]", option)
        if name:
            variables[name[1]] = default and default[1]
    assert variables["RBD_REST_API_LISTEN"] == "0.0.0.0:8080"
    return variables


@pytest.mark.parametrize("release", RELEASES)
def test_the_manifests_are_right_by_the_schemas(release):
    kinds = set()
    for document in documents():
        kubernetes_validate.validate(document, release, strict=True)
        kinds.add(document["kind"])
    assert kinds == {"Deployment", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "Secret", "Service"}


def misspelled(deployment):
    deployment["spec"]["template"]["spec"]["nodeSelectors"] = {"zone": "ceph"}


def of_a_wrong_type(deployment):
    deployment["spec"]["replicas"] = "two"


def without_what_is_required(deployment):
    del deployment["spec"]["selector"]


def deeper(deployment):
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRoot"] = True


@pytest.mark.parametrize("spoil", [misspelled, of_a_wrong_type, without_what_is_required, deeper])
def test_a_wrong_manifest_is_refused(spoil):
    wrong = copy.deepcopy(one("Deployment"))
    spoil(wrong)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, RELEASES[-1], strict=True)


def test_it_runs_as_the_first_users_ran_it(deployment, pod, container):
    assert deployment["replicas"] == 2
    assert pod["nodeSelector"] == {"zone": "ceph"}
    assert {"path": "/etc/ceph", "type": "Directory"} in [volume.get("hostPath") for volume in pod["volumes"]]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/etc/ceph"]
    assert mount["readOnly"] is True
    assert pod["imagePullSecrets"]
    assert one("Service")["spec"]["ports"][0]["port"] == 8080


def test_nothing_is_allowed_that_is_not_needed(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(mount["readOnly"] is True for mount in container["volumeMounts"])
    assert pod["automountServiceAccountToken"] is False
    assert container["resources"]["limits"]["memory"]


def test_the_user_is_the_images(pod):
    user, group = re.search(r"^USER (\d+):(\d+)$", (DEPLOY / "Dockerfile").read_text(), re.M).groups()
    context = pod["securityContext"]
    assert [context["runAsUser"], context["runAsGroup"], context["fsGroup"]] == [int(user), int(group), int(group)]


def test_the_program_knows_the_settings(container, settings):
    names = [variable["name"] for variable in container["env"]]
    assert set(names) <= set(settings)
    assert len(set(names)) == len(names)
    assert "args" not in container and "command" not in container


def test_the_program_takes_the_values(container):
    """All but where it listens; that there are no tokens yet is what it finds wrong first."""
    env = {variable["name"]: variable["value"] for variable in container["env"]}
    env["RBD_REST_API_LISTEN"] = "127.0.0.1:0"
    done = subprocess.run([os.environ["RBD_REST_API"]], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert env["RBD_REST_API_TOKENS"] in done.stderr and "No such file" in done.stderr
    env["RBD_REST_API_GRACE"] = "soon"
    done = subprocess.run([os.environ["RBD_REST_API"]], env=env, capture_output=True, text=True, timeout=30)
    assert "invalid value 'soon'" in done.stderr


def test_the_ports_agree(container):
    (port,) = container["ports"]
    (listen,) = [variable["value"] for variable in container["env"] if variable["name"] == "RBD_REST_API_LISTEN"]
    assert listen == f"0.0.0.0:{port['containerPort']}"
    assert re.search(r"^EXPOSE (\d+)$", (DEPLOY / "Dockerfile").read_text(), re.M)[1] == str(port["containerPort"])
    (serves,) = one("Service")["spec"]["ports"]
    assert serves["targetPort"] == port["name"]
    (allowed,) = one("NetworkPolicy")["spec"]["ingress"][0]["ports"]
    assert allowed["port"] == port["name"]
    probes = [container[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "liveness", "readiness")]
    assert set(probes) == {port["name"]}


def test_the_probes_are_answered(container, service):
    for probe in ("startup", "liveness", "readiness"):
        assert service.request("GET", container[f"{probe}Probe"]["httpGet"]["path"]).status == 200
    # The service's own deadline for the cluster is 3 s: kubelet has to wait for the reason.
    assert container["readinessProbe"]["timeoutSeconds"] > 3
    assert container["livenessProbe"]["httpGet"]["path"] != container["readinessProbe"]["httpGet"]["path"]


def test_the_pod_ends_after_the_service(pod, container):
    (grace,) = [variable["value"] for variable in container["env"] if variable["name"] == "RBD_REST_API_GRACE"]
    # The service takes up to 4 s more for operations to stop and to be recorded, and 1 s for calls.
    assert pod["terminationGracePeriodSeconds"] > int(grace) + 5


def test_the_secrets_and_paths_agree(pod, container):
    known = secrets()
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert len(mounts) == len(volumes)
    for variable in ("RBD_REST_API_TOKENS", "RBD_REST_API_CEPH_KEY_FILE"):
        (path,) = [each["value"] for each in container["env"] if each["name"] == variable]
        directory, _, file = path.rpartition("/")
        secret = known[mounts[directory]["secret"]["secretName"]]
        assert file in {**secret.get("data", {}), **secret.get("stringData", {})}
        # By group, since the service is not root.
        assert mounts[directory]["secret"]["defaultMode"] == 0o440
    (pull,) = pod["imagePullSecrets"]
    assert known[pull["name"]]["type"] == "kubernetes.io/dockerconfigjson"


def test_the_selectors_choose_the_pods(deployment):
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [
        deployment["selector"]["matchLabels"],
        deployment["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        one("Service")["spec"]["selector"],
        one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector == labels for selector in selectors)
    assert one("PodDisruptionBudget")["spec"]["minAvailable"] < deployment["replicas"]


def test_kustomize_has_everything_but_the_shape_of_secrets(container):
    kustomization = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
    files = {path.name for path in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml", "secrets.yaml"}
    assert set(kustomization["resources"]) == files
    assert [image["name"] for image in kustomization["images"]] == [container["image"]]
    assert kustomization["namespace"] == one("Namespace")["metadata"]["name"]
