"""What commands of maintainer scripts mean for an image, as ``docs/reference/debian-scripts.md`` lists it."""

from __future__ import annotations

import re
from collections.abc import Mapping

HARMLESS: Mapping[str, tuple[str, ...]] = {
    "words of the shell, and programs that only look": (
        *(
            ":",
            "[",
            "test",
            "true",
            "false",
            "echo",
            "printf",
            "print",
            "cd",
            "umask",
            "trap",
            "type",
            "wait",
        ),
        *("which", "command", "let", "times", "grep", "egrep", "fgrep", "zgrep", "awk", "mawk", "cat", "cut"),
        *("sort", "uniq", "head", "tail", "tr", "wc", "ls", "stat", "id", "getent", "cmp", "diff", "md5sum"),
        *("sha1sum", "sha256sum", "find", "xargs", "readlink", "realpath", "basename", "dirname", "expr"),
        *("date", "uname", "seq", "sleep", "mktemp", "tempfile", "mountpoint", "ischroot", "pidof", "who"),
        *("runlevel", "hostname", "ps", "du", "df", "od", "tac", "dpkg-realpath", "getcap", "tput", "logger"),
    ),
    "questions, which have their defaults": (
        *(
            "db_version",
            "db_capb",
            "db_title",
            "db_input",
            "db_go",
            "db_get",
            "db_set",
            "db_reset",
            "db_subst",
        ),
        *("db_fset", "db_fget", "db_stop", "db_purge", "db_metaget", "db_register", "db_unregister"),
        *("db_settitle", "db_info", "db_progress", "db_beginblock", "db_endblock", "debconf-loadtemplate"),
    ),
    "services, which an image has none of": (
        *("deb-systemd-helper", "deb-systemd-invoke", "systemctl", "systemd-tmpfiles", "systemd-hwdb"),
        *("systemd-detect-virt", "systemd-machine-id-setup", "systemd", "journalctl", "busctl", "telinit"),
        *("invoke-rc.d", "update-rc.d", "start-stop-daemon", "service", "initctl", "dbus-send", "killall"),
        *("dbus-uuidgen", "apache2_invoke", "apache2_reload", "pam-auth-update", "insserv", "runit-helper"),
    ),
    "the machine's kernel and devices": (
        *("udevadm", "modprobe", "depmod", "sysctl", "update-initramfs", "update-grub", "apparmor_parser"),
        *("aa-status", "aa-enabled", "restorecon", "selinuxenabled", "update-binfmts", "MAKEDEV", "kill"),
    ),
    "dpkg's own books, and what an upgrade mends": (
        *(
            "dpkg",
            "dpkg-query",
            "dpkg-trigger",
            "dpkg-maintscript-helper",
            "dpkg-vendor",
        ),
        *("dpkg-split", "dpkg-parsechangelog", "apt-config", "apt-cache", "ucfr", "ucfq"),
    ),
    "bytecode, which the layers' own step makes": (
        *("py3compile", "pycompile", "pypy3compile", "pypycompile", "py3clean", "pyclean", "emacs-package"),
        *("emacsen-common", "/usr/lib/emacsen-common/emacs-package-install"),
    ),
    "manuals, menus and desktops": (
        *("update-menus", "install-info", "update-mime", "update-desktop-database", "update-icon-caches"),
        *("gtk-update-icon-cache", "gtk-update-icon-cache-3.0", "update-fonts-alias", "update-fonts-dir"),
        *(
            "update-fonts-scale",
            "appstreamcli",
            "mandb",
            "update-man-db",
            "install-docs",
            "xdg-icon-resource",
        ),
        *("helpztags", "update-notifier", "/usr/share/update-notifier/notify-reboot-required"),
        # postgresql-common's: alternatives of manual pages.
        *("configure_client_version",),
    ),
    "login shells": ("add-shell", "remove-shell", "update-shells"),
}
"""Commands after which an image is as before, by what they are about."""

IMITATED: tuple[str, ...] = (
    *("update-alternatives", "ldconfig", "update-ca-certificates", "mkdir", "install", "ln", "cp", "touch"),
    *("chmod", "chown", "chgrp", "rm", "rmdir", "unlink", "mv", "sed", "ucf", "dpkg-divert"),
    "dpkg-statoverride",
)
"""Commands whose work is done without them, where it is known what they work on."""

MADE: tuple[str, ...] = (
    *("fc-cache", "glib-compile-schemas", "gio-querymodules", "gdk-pixbuf-query-loaders"),
    *("update-mime-database", "gtk-query-immodules-2.0", "gtk-query-immodules-3.0", "libgvc6-config-update"),
    "dot",
)
"""Programs that the step ``made-files`` runs in a root of its own: see ``ociwheel.base.makers``."""

ACCOUNTS: tuple[str, ...] = (
    *("adduser", "addgroup", "useradd", "groupadd", "usermod", "groupmod", "deluser", "delgroup"),
    "systemd-sysusers",
)
"""Commands about accounts: those of systems are made (``ociwheel.base.account_commands``)."""

READ: Mapping[str, str] = {
    r"base-files": "folders and files of a new system, which the layer of users and folders has",
    r"base-passwd": "accounts, which the layer of users and folders has",
    r"ca-certificates": "the bundle of certificates, which the layer of packages makes",
    r"dash|bash|busybox": "links of the shell by diversions",
    r"debconf|dpkg|perl-base|ucf": "books of Debian's package tools",
    r"libc6|libc-bin": "services of an upgrade, and the loader's cache, which is written",
    r"libpam-modules|libpam0g|libpam-runtime|libpam-modules-bin": "services of an upgrade, and login",
    r"libgcrypt20": "files that an old version left",
    r"login|passwd|util-linux": "login and its shadow files",
    r"media-types|mailcap|mime-support": "a file of an old version",
    r"netbase": "files of a new system that every image has its own of",
    r"python3(?:\.[0-9]+)?(?:-minimal|-distutils|-lib2to3|-venv)?|libpython3.*": "bytecode, which is made",
    r"tzdata": "/etc/localtime, which is not there: times are UTC",
}
"""Packages whose scripts were read by people, as patterns of the whole name, and what they are about."""

READ_PATTERN = re.compile("|".join(f"(?:{pattern})" for pattern in READ))

UNSHIPPED: tuple[str, ...] = (
    "/dev/",
    "/proc/",
    "/run/",
    "/sys/",
    "/tmp/",  # noqa: S108  the image's
    "/var/log/",
    "/var/run/",
    "/var/tmp/",  # noqa: S108  likewise
)
"""Folders whose content no image needs."""
