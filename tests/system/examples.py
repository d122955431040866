# SPDX-License-Identifier: BSD-2-Clause
"""
The examples of systemd/fleet: valid by the tools and schemas of those they are for (ansible-core, yamllint, Kubernetes' own OpenAPI,
Grafana's types), and true: what they say of plop is what the units, config.c and the programs say.
"""
import glob
import json
import os
import re
import subprocess

import pytest

import host
import pypi

TOP = os.path.dirname(host.TESTS)
FLEET = os.path.join(TOP, "systemd", "fleet")
ROLE = os.path.join(FLEET, "ansible", "roles", "plop")
FORMATS = os.path.join(host.TESTS, "system", "formats", "node_modules")
PYTHON = "/usr/bin/python3"
TOOLS = [
    "ansible-core==2.18.11", "yamllint==1.38.0", "kubernetes-validate==1.37.0", "PyYAML==6.0.4", "Jinja2==3.1.6", "MarkupSafe==3.0.4",
    "packaging==26.4", "resolvelib==1.0.1", "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12", "pathspec==1.1.1", "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1", "referencing==0.37.0", "rpds-py==2026.9.1", "attrs==26.1.0", "typing_extensions==4.16.0",
    "importlib_resources==7.1.0",
]
YAMLLINT = "{extends: default, rules: {line-length: {max: 140}}}"


def read(*parts):
    with open(os.path.join(TOP, *parts), encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def tools():
    folder, why = pypi.installed(PYTHON, TOOLS)
    if not folder:
        pytest.skip("without Ansible's and Kubernetes' own checks: " + why)
    return folder


def run(tools, *command, cwd=FLEET, **environment):
    done = subprocess.run(command, cwd=cwd, env=dict(os.environ, PYTHONPATH=tools, PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8", **environment),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return done.returncode, done.stdout.decode(errors="replace")


def test_yaml(tools):
    files = glob.glob(os.path.join(FLEET, "**", "*.yml"), recursive=True) + glob.glob(os.path.join(FLEET, "**", "*.yaml"), recursive=True)
    assert len(files) >= 6
    assert run(tools, PYTHON, "-m", "yamllint", "--strict", "-d", YAMLLINT, *files) == (0, "")


def test_playbook(tools, tmp_path):
    playbook = os.path.join(FLEET, "ansible", "playbook.yml")
    command = [PYTHON, os.path.join(tools, "bin", "ansible-playbook"), "-i", os.path.join(FLEET, "ansible", "inventory.ini")]
    settings = dict(ANSIBLE_HOME=str(tmp_path), ANSIBLE_LOCAL_TEMP=str(tmp_path), ANSIBLE_NOCOWS="1", HOME=str(tmp_path))
    status, said = run(tools, *command, "--syntax-check", playbook, **settings)
    assert status == 0 and "playbook: " in said and "WARN" not in said, said
    # every name of a task is there, in order, for both groups of hosts
    status, said = run(tools, *command, "--list-tasks", playbook, **settings)
    names = re.findall(r"^- name: (.*)", read(ROLE, "tasks", "main.yml"), re.M)
    assert status == 0 and re.findall(r"plop : (.*?)\tTAGS", said) == 2 * names, said
    # a playbook that is wrong is found
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("---\n- name: Wrong\n  hosts: plop\n  tasks:\n    - ansible.builtin.nothing_such: {}\n")
    assert run(tools, *command, "--syntax-check", str(wrong), **settings)[0] != 0


def test_commands_are_those_of_plopctl():
    """What the examples call is there, with these options."""
    said = subprocess.run([host.program("plopctl"), "fleet", "--help"], stdout=subprocess.PIPE, check=True, timeout=30).stdout.decode()
    role = read(ROLE, "tasks", "main.yml")
    words, = re.findall(r'\["plopctl", "fleet", "join", (.*)\]\n', role)
    options = set(re.findall(r"--[a-z-]+", words + role.partition("--replace")[2].partition("when:")[0])) | {"--json"}
    assert "join URL" in said and len(options) == 5
    assert all(re.search(r"(^|[ ,])%s\b" % option, said, re.M) for option in options), said


def test_templates_make_what_plop_reads(tools, tmp_path):
    """With the values that the role has: a plop.conf that plop-gateway takes, and a drop-in that systemd takes."""
    made = {}
    for name in ("fleet.conf", "store.conf"):
        status, made[name] = run(tools, PYTHON, "-c", (
            "import jinja2, sys, yaml; d = yaml.safe_load(open(sys.argv[2])); d.update(plop_region='eu', plop_store_addresses=['192.0.2.10']);"
            "d['plop_fleet']['region'] = 'eu';"
            "print(jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined).from_string(open(sys.argv[1]).read()).render(d))"),
            os.path.join(ROLE, "templates", name + ".j2"), os.path.join(ROLE, "defaults", "main.yml"))
        assert status == 0, made[name]
    assert "IPAddressAllow=192.0.2.10\n" in made["store.conf"]
    assert "region = eu\nshare = 0.1\n" in made["fleet.conf"]
    check_config(made["fleet.conf"], tmp_path)


def check_config(text, folder):
    """plop-gateway reads it and says nothing of it: the store that it names is what is not there."""
    config = os.path.join(str(folder), "plop.conf")
    with open(config, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run([host.program("plop-gateway"), "--config", config, "--init-store"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60)
    said = done.stdout.decode()
    assert done.returncode != 0 and "plop.conf:" not in said and "unknown" not in said, said
    options = re.findall(r'^\t\{ "fleet", "([a-z_]+)", OPTION', read("daemon", "config", "config.c"), re.M)
    used = re.findall(r"^\s*([a-z_]+) = ", text.partition("[fleet]")[2].partition("\n[")[0], re.M)
    assert used and set(used) <= set(options), (used, options)


def documents(tools, name):
    status, text = run(tools, PYTHON, "-c", "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))",
                       os.path.join(FLEET, "kubernetes", name))
    assert status == 0, text
    return json.loads(text)


def test_manifests_are_valid_by_kubernetes_own_schema(tools, tmp_path):
    check = ("import kubernetes_validate, sys, yaml\n"
             "for d in yaml.safe_load_all(open(sys.argv[1])): kubernetes_validate.validate(d, sys.argv[2], strict=True)")
    for version in ("1.30", "1.37"):  # the first that has appArmorProfile, and the newest
        for name in ("plop.yaml", "service.yaml"):
            status, said = run(tools, PYTHON, "-c", check, os.path.join(FLEET, "kubernetes", name), version)
            assert status == 0, said
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(read("systemd", "fleet", "kubernetes", "plop.yaml").replace("hostPID: true", "hostPID: true\n      hostPIDs: true"))
    assert run(tools, PYTHON, "-c", check, str(wrong), "1.37")[0] != 0


def test_the_daemon_set_is_what_the_units_are(tools, tmp_path):
    config, daemons = documents(tools, "plop.yaml")
    pod = daemons["spec"]["template"]["spec"]
    plopd, gateway = pod["containers"]
    unit = read("systemd", "plopd.service.in")
    wanted, = re.findall(r"^CapabilityBoundingSet=(.*)", unit, re.M)
    assert ["CAP_" + name for name in plopd["securityContext"]["capabilities"]["add"]] == wanted.split()
    assert plopd["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert re.findall(r"^CapabilityBoundingSet=(.*)", read("systemd", "plop-gateway.service.in"), re.M) == [""]
    assert gateway["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu": "500m", "memory": "256Mi"} == plopd["resources"]["limits"]
    assert "CPUQuota=50%" in unit and "MemoryMax=256M" in unit
    assert not any(c["securityContext"]["allowPrivilegeEscalation"] for c in pod["containers"] + pod["initContainers"])
    # what plop.conf has as its default is what is mounted, and those of the node are for plop alone
    conf = read("systemd", "plop.conf")
    mounted = {c["name"]: {m["mountPath"] for m in c["volumeMounts"]} for c in pod["containers"]}
    for option, of in (("#state_dir = /var/lib/plop\n", "plopd"), ("#state_dir = /var/lib/plop-gateway\n", "plop-gateway"),
                       ("#socket = /run/plop/plopd.sock\n", "plopd")):
        path = option.split(" = ")[1].strip()
        assert option in conf and (path in mounted[of] or os.path.dirname(path) in mounted[of]), option
    assert config["metadata"]["name"] == pod["volumes"][0]["configMap"]["name"]
    check_config(config["data"]["plop.conf"], tmp_path)


def test_a_workload_says_its_service_as_plop_reads_it(tools):
    workload, = documents(tools, "service.yaml")
    names = [e["name"] for e in workload["spec"]["template"]["spec"]["containers"][0]["env"]]
    source = read("daemon", "proc", "environ.c")
    assert names == ["PLOP_SERVICE", "PLOP_VERSION"] and all('"%s"' % name in source for name in names)


def test_the_image_is_built_as_the_readme_builds_and_runs_as_the_units_do():
    """By the package, in the numbers that Kubernetes is told, with the capabilities of plopd's unit."""
    recipe, pods, unit = [read("systemd", *parts) for parts in (("container", "Containerfile"), ("fleet", "kubernetes", "plop.yaml"), ("plopd.service.in",))]
    build, final = recipe.split("FROM debian:12-slim")
    readme = re.search(r"sudo apt install ((?:.*\\\n)*.*)", read("README.md")).group(1).replace("\\\n", " ").split()
    assert set(re.search(r"recommends git \\\n((?:.*\\\n)*.*)", build).group(1).replace("\\\n", " ").split()) == set(readme)
    for name, number in (("plop", 7567), ("plop-gateway", 7568)):
        assert "groupadd -g %d %s " % (number, name) in final and "useradd -u %d -g %s " % (number, name) in final
    assert "runAsGroup: 7567" in pods and "runAsUser: 7568" in pods
    wanted, = re.findall(r"^CapabilityBoundingSet=(.*)", unit, re.M)
    plopd, gateway = re.findall(r"podman run (.*?)(?<!\\)$", read("systemd", "container", "README.md"), re.M | re.S)
    assert re.search(r"--cap-drop=ALL --cap-add=(\S+)", plopd).group(1).split(",") == [name[len("CAP_"):] for name in wanted.split()]
    assert "--network=none" in plopd and "--cap-drop=ALL" in gateway and "--cap-add" not in gateway


def test_dashboards_are_of_grafanas_types(tmp_path):
    """By TypeScript's compiler: what Grafana's own package says that a dashboard is."""
    for package in ("typescript", "@grafana/schema"):
        if not os.path.isdir(os.path.join(FORMATS, package)):
            pytest.skip("%s is not installed (npm ci in tests/system/formats)" % package)

    def put(name, text):
        source = tmp_path / (name + ".ts")
        source.write_text("import type { Dashboard } from '%s/@grafana/schema/dist/types/raw/dashboard/x/types.gen';\n"
                          "export const dashboard: Dashboard = %s;\n" % (FORMATS, text))
        return str(source)

    fleet, hosts = (read("systemd", "fleet", "grafana", name + ".json") for name in ("fleet", "hosts"))
    sources = [put("fleet", fleet), put("hosts", hosts), put("wrong_type", fleet.replace('"schemaVersion": 39', '"schemaVersion": "39"')),
               put("not_known", hosts.replace('"editable": true', '"editable": true, "edited": true'))]
    done = subprocess.run(["node", os.path.join(FORMATS, "typescript", "bin", "tsc"), "--noEmit", "--strict", "--target", "es2022", "--module",
                           "nodenext", "--moduleResolution", "nodenext", *sources], stdout=subprocess.PIPE, timeout=120)
    said = done.stdout.decode()
    # of those that are wrong it is said, and of no other
    assert set(re.findall(r"^\S*?(\w+)\.ts\(", said, re.M)) == {"wrong_type", "not_known"}, said


def test_dashboards_are_whole():
    for name in ("fleet", "hosts"):
        board = json.loads(read("systemd", "fleet", "grafana", name + ".json"))
        panels = board["panels"]
        assert [p["id"] for p in panels] == list(range(1, len(panels) + 1))
        taken = set()
        for p in panels:
            at = p["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken and at["x"] + at["w"] <= 24, p["title"]
            taken |= cells
            assert p["title"] and p["description"].endswith(".") and p["targets"], p["title"]
            # whose data source it is, the one who imports it says
            assert all(t["datasource"]["uid"] == "${source}" for t in p["targets"]) and p["datasource"]["uid"] == "${source}", p["title"]
        known = {v["name"] for v in board["templating"]["list"]}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__timeFilter", "__dateFilter", "__interval_s", "__toTime", "__rate_interval"}
        assert used <= known, used - known
