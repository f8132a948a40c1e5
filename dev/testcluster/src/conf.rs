//! The cluster's ceph.conf.
//!
//! Every setting stands in `[global]`, where a setting of the caller replaces ours; releases
//! ignore the names they do not know. Only what must differ between daemons and clients has a
//! section of its own.

use std::fmt::Write as _;
use std::path::Path;

/// What the settings depend on.
pub(crate) struct Layout<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) fsid: &'a str,
    pub(crate) mon_host: &'a str,
    pub(crate) osds: u32,
    pub(crate) osd_size: u64,
}

/// The manager's modules that cost seconds of start-up and that no client needs.
const UNUSED_MGR_MODULES: &str = "alerts,balancer,cephadm,cli_api,crash,dashboard,devicehealth,\
    diskprediction_local,feedback,hello,influx,insights,iostat,k8sevents,localpool,\
    mds_autoscaler,mirroring,nfs,nvmeof,orchestrator,osd_perf_query,osd_support,progress,\
    prometheus,restful,rgw,rook,selftest,smb,snap_schedule,stats,telegraf,telemetry,\
    test_orchestrator,volumes,zabbix";

/// Settings that are the same for every cluster.
const FIXED: &[(&str, &str)] = &[
    // Who may talk, and where.
    ("auth_cluster_required", "cephx"),
    ("auth_service_required", "cephx"),
    ("auth_client_required", "cephx"),
    ("public_addr", "127.0.0.1"),
    ("cluster_addr", "127.0.0.1"),
    ("ms_bind_port_max", "9300"), // room for the daemons of several clusters
    ("ms_bind_retry_delay", "0"), // a taken port means other ports, not patience
    // Pools: small, deletable, of any size.
    ("osd_pool_default_min_size", "1"),
    ("osd_pool_default_pg_num", "8"),
    ("osd_pool_default_pgp_num", "8"),
    ("osd_pool_default_pg_autoscale_mode", "off"),
    ("osd_crush_chooseleaf_type", "0"),
    ("mon_allow_pool_delete", "true"),
    ("mon_allow_pool_size_one", "true"),
    ("mon_max_pg_per_osd", "10000"),
    // A client that closes an image while the monitors send it an option of librbd's may hang. What configures a pool
    // has this one sent to all clients, and what a client has set itself goes before it.
    ("rbd_config_pool_override_update_timestamp", "1"),
    // The initial map places the osds already.
    ("osd_crush_update_on_start", "false"),
    ("osd_class_load_list", "*"),
    ("osd_class_default_list", "*"),
    // Changes of the maps come in milliseconds, not at the next tick.
    ("paxos_propose_interval", "0.05"),
    ("paxos_min_wait", "0.01"),
    ("mon_tick_interval", "1"),
    ("mgr_tick_period", "1"),
    ("mgr_stats_period", "1"),
    ("objecter_tick_interval", "0.5"),
    // A dead or frozen daemon is noticed within seconds, even when it is the only one; a
    // frozen osd that goes on may come back as often as it likes.
    ("osd_heartbeat_interval", "1"),
    ("osd_heartbeat_grace", "4"),
    ("osd_mon_heartbeat_interval", "2"),
    ("osd_mon_report_interval", "1"),
    ("osd_beacon_report_interval", "1"),
    ("osd_max_markdown_count", "100000"),
    // Beacons come every two seconds. A monitor counts this time twice after its own start.
    ("mon_osd_report_timeout", "5"),
    ("mon_osd_adjust_heartbeat_grace", "false"),
    ("mon_osd_min_down_reporters", "1"),
    ("mon_osd_reporter_subtree_level", "osd"),
    ("mon_osd_min_up_ratio", "0"),
    ("mon_osd_min_in_ratio", "0"),
    ("mon_mgr_beacon_grace", "5"),
    ("mgr_connect_retry_interval", "0.2"),
    // Light osds that start fast. The poll interval is what closing a device waits for, and
    // a start closes it several times.
    ("osd_objectstore", "bluestore"),
    ("osd_fast_shutdown", "true"),
    ("osd_op_queue", "wpq"), // mclock measures the disk first
    ("osd_memory_target", "939524096"),
    ("bdev_aio_poll_ms", "10"),
    ("bluestore_fsck_on_mkfs", "false"),
    ("bluestore_cache_autotune", "false"),
    ("bluestore_cache_size", "67108864"),
    ("mgr_initial_modules", ""),
    ("mgr_disabled_modules", UNUSED_MGR_MODULES),
    // The log has the reason of a daemon's end, and little of rocksdb. A nearly full disk is
    // no matter here.
    ("log_flush_on_exit", "true"),
    ("debug_rocksdb", "1/5"),
    ("mon_data_avail_warn", "-1"),
    ("mon_data_avail_crit", "-1"),
    // What is no fault of a throw-away cluster. Clients that predate the secure reclaim of
    // global ids may connect.
    ("mon_warn_on_pool_no_redundancy", "false"),
    ("mon_warn_on_pool_no_app", "false"),
    ("mon_warn_on_insecure_global_id_reclaim", "false"),
    ("mon_warn_on_insecure_global_id_reclaim_allowed", "false"),
];

/// The text of ceph.conf: our settings, then `extra`, each key once.
pub(crate) fn render(layout: &Layout<'_>, extra: &[(String, String)]) -> String {
    let dir = layout.dir.display();
    let mut global: Vec<(String, String)> = vec![
        ("fsid".into(), layout.fsid.into()),
        ("mon_host".into(), layout.mon_host.into()),
        ("mon_initial_members".into(), "a".into()),
        ("keyring".into(), format!("{dir}/keyring")),
        ("run_dir".into(), format!("{dir}")),
        ("crash_dir".into(), format!("{dir}/crash")),
        ("mon_data".into(), format!("{dir}/mon")),
        ("mgr_data".into(), format!("{dir}/mgr")),
        ("osd_data".into(), format!("{dir}/osd.$id")),
        ("mon_cluster_log_file".into(), format!("{dir}/cluster.log")),
        (
            "osd_pool_default_size".into(),
            layout.osds.min(3).to_string(),
        ),
        ("bluestore_block_size".into(), layout.osd_size.to_string()),
    ];
    global.extend(FIXED.iter().map(|&(key, value)| (key.into(), value.into())));
    for (key, value) in extra {
        // Ceph takes "mon host" and "mon-host" for "mon_host".
        let key = key.trim().replace([' ', '-'], "_");
        global.retain(|(known, _)| *known != key);
        global.push((key, value.clone()));
    }

    let mut text = String::from("[global]\n");
    for (key, value) in global {
        let _ = writeln!(text, "{key} = {value}");
    }
    for section in ["mon", "mgr", "osd"] {
        let _ = write!(
            text,
            "\n[{section}]\n\
             keyring = {dir}/daemons.keyring\n\
             log_file = {dir}/$name.log\n\
             admin_socket = {dir}/$name.asok\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_setting_replaces_ours() {
        let layout = Layout {
            dir: Path::new("/d"),
            fsid: "f",
            mon_host: "m",
            osds: 5,
            osd_size: 1,
        };
        let extra = [("mon tick-interval".to_owned(), "7".to_owned())];
        let text = render(&layout, &extra);
        assert!(text.contains("\nmon_tick_interval = 7\n"));
        assert_eq!(text.matches("mon_tick_interval").count(), 1);
        assert!(text.contains("\nosd_pool_default_size = 3\n"));
    }
}
