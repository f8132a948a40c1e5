#!/usr/bin/python3
"""What people would write with Ceph's Python binding: GET of an image, as the service answers it."""

import json
import logging
import sys

import rados
import rbd
import waitress

logging.disable(logging.WARNING)  # waitress tells of every request that waits
cluster = rados.Rados(conffile="")
cluster.connect()
pools = {}


def look_at(pool, name):
    ioctx = pools.get(pool) or pools.setdefault(pool, cluster.open_ioctx(pool))
    with rbd.Image(ioctx, name, read_only=True) as image:
        stat = image.stat()
        try:
            parent = image.parent_info()
        except rbd.ImageNotFound:
            parent = None
        group = image.group()
        return {
            "pool": pool,
            "namespace": "",
            "name": image.get_name(),
            "id": image.id(),
            "size": stat["size"],
            "objects": stat["num_objs"],
            "order": stat["order"],
            "object_size": stat["obj_size"],
            "data_pool": image.data_pool_id(),
            "snapshot_count": len(list(image.list_snaps())),
            "block_name_prefix": image.block_name_prefix(),
            "format": 1 if image.old_format() else 2,
            "features": image.features(),
            "op_features": image.op_features(),
            "flags": image.flags(),
            "group": group["name"],
            "create_timestamp": str(image.create_timestamp()),
            "access_timestamp": str(image.access_timestamp()),
            "modify_timestamp": str(image.modify_timestamp()),
            "snapshot_limit": image.get_snap_limit(),
            "parent": parent,
            "stripe_unit": image.stripe_unit(),
            "stripe_count": image.stripe_count(),
        }


def app(environ, start_response):
    _, _, _, _, pool, _, name = environ["PATH_INFO"].split("/")
    body = json.dumps(look_at(pool, name)).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]


waitress.serve(app, listen="127.0.0.1:" + sys.argv[1], threads=64, _quiet=True)
