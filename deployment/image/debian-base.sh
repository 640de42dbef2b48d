#!/bin/sh
# Makes a base image with Debian's Python 3.11, for machines that cannot reach Docker Hub. Needs root and debootstrap.
# usage: debian-base.sh NAME
set -eu
engine=${CONTAINER_ENGINE:-podman}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=python3,ca-certificates bookworm "$root" >/dev/null
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
rm -rf "$root"/usr/share/locale/*
tar -C "$root" --sort=name --mtime=@0 -c . | "$engine" import - "$1"
