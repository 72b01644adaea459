"""Is this a virtual machine or a container, and whose?"""

from __future__ import annotations

from harness.environment.sources import Sources, key_values

# Words in the firmware's vendor or product name that only a virtual machine has.
_FIRMWARE = {
    "kvm": "kvm",
    "qemu": "kvm",
    "google compute engine": "google compute engine",
    "openstack": "openstack",
    "vmware": "vmware",
    "virtualbox": "virtualbox",
    "innotek": "virtualbox",
    "parallels": "parallels",
    "xen": "xen",
    "bochs": "bochs",
    "bhyve": "bhyve",
    "firecracker": "firecracker",
    "hvm domu": "xen",
    "virtual machine": "hyper-v",
    "alibaba cloud ecs": "alibaba cloud",
}


def virtualisation(sources: Sources) -> str | None:
    """Hypervisor and container, e.g. "kvm", "kvm + docker"; None on bare metal as far as can be seen."""
    layers = [layer for layer in (hypervisor(sources), container(sources)) if layer]
    return " + ".join(layers) or None


def hypervisor(sources: Sources) -> str | None:
    """The hypervisor's name; "hypervisor" when there is one without a name."""
    release = (sources.text("proc/sys/kernel/osrelease") or "").lower()
    if "microsoft" in release:
        return "wsl"
    vendor = (sources.text("sys/class/dmi/id/sys_vendor") or "").lower()
    product = (sources.text("sys/class/dmi/id/product_name") or "").lower()
    if vendor == "amazon ec2":
        return None if ".metal" in product else "amazon ec2"
    firmware = f"{vendor} {product}"
    named = next((name for word, name in _FIRMWARE.items() if word in firmware), None)
    return named or _by_kernel(sources)


def container(sources: Sources) -> str | None:
    """The container's kind; "container" when it is one of an unknown kind."""
    cgroup = sources.text("proc/self/cgroup") or ""
    if "kubepods" in cgroup or sources.exists("run/secrets/kubernetes.io"):
        return "kubernetes"
    told = sources.text("run/systemd/container")
    if told:
        return told
    if sources.exists("run/.containerenv"):
        return "podman"
    if sources.exists(".dockerenv") or "/docker" in cgroup:
        return "docker"
    if "/lxc" in cgroup:
        return "lxc"
    return None


def _by_kernel(sources: Sources) -> str | None:
    """What the kernel noticed by itself, where the firmware says nothing."""
    if sources.text("sys/hypervisor/type"):
        return sources.text("sys/hypervisor/type")
    compatible = sources.text("proc/device-tree/hypervisor/compatible")
    if compatible:
        return "kvm" if "kvm" in compatible else compatible.split("\0")[0]
    clocks = sources.text("sys/devices/system/clocksource/clocksource0/available_clocksource") or ""
    for word, name in (("kvm-clock", "kvm"), ("hyperv", "hyper-v"), ("xen", "xen")):
        if word in clocks:
            return name
    flags = key_values(sources.text("proc/cpuinfo"), ":").get("flags", "").split()
    return "hypervisor" if "hypervisor" in flags else None
