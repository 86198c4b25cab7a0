"""The checks of the privileged side, each with what it looks like without, and
the tests (of tests/netns) that must then fail; the unit tests always run."""

B, L, O, S = "test_boundary.py", "test_boundary_life.py", "test_boundary_owners.py", "test_boundary_start.py"
F = "test_faults_boundary.py"


def refused(*cases):
    return [B + "::test_what_is_forbidden_does_not[%s]" % case for case in cases]


def quota(what):
    return [L + "::test_quota_is_an_errno[%s]" % what]


def wrong_kind(*cases):
    return [S + "::test_sockets_of_the_wrong_kind_are_refused[%s]" % case for case in cases]


ONE_WORKER = [L + "::test_one_worker_after_the_other_and_nobody_else"]
FIXED = [B + "::test_descriptor_cannot_be_changed"]
HEARD = [B + "::test_the_ring_hears_what_is_reserved_and_nothing_else[udp]"]
CHANGED = [O + "::test_without_owners_a_change_by_another_ends_the_session"]
MOMENT = [O + "::test_without_owners_a_captured_worker_gains_a_moment"]
TWICE = [L + "::test_a_port_reserved_twice_is_given_back_once"]
STAYED = [S + "::test_a_privilege_that_stayed_is_found"]
LIED = [S + "::test_a_prctl_that_lied_is_found"]
DNP = [L + "::test_do_not_probe_prefixes"]
SPOOF = [L + "::test_spoofing_where_it_is_allowed"]
NEW_LINK = [B + "::test_the_ring_cannot_send_on_a_new_or_renamed_interface"]

LOOP = [
    ("cred.uid != privd->worker_ids.uid", "false", ONE_WORKER),
    ("} else if (privd->session.sock >= 0 || privd->worker_dead >= 0) {", "} else if (false) {", ONE_WORKER),
    ("} else if (privd->session.sock >= 0 || privd->worker_dead >= 0) {", "} else if (privd->session.sock >= 0) {",
     [F + "::test_a_worker_without_a_session_is_the_only_one_until_it_ends"]),
    ("if (watch[W_ALONE].revents != 0)", "if (false)", [F + "::test_strangers_who_ask_who_runs_take_nothing"]),
    ("\tports_release_all(&privd->ports);\n", "", ONE_WORKER),
    ("\tmemset(privd->session.answered, 0, sizeof(privd->session.answered));\n", "",
     [L + "::test_each_worker_has_its_own_quota"]),
    ("err.text);\n\tsession_end(privd);", "err.text);", [L + "::test_malformed_request_ends_the_session[huge]"]),
    ("if (privd->session.sock >= 0)\n\t\t\tsession_end(privd);", "(void)0;",
     [L + "::test_a_dead_workers_channel_in_other_hands_is_closed"]),
    ("(watch[W_EVENTS].revents != 0 && firewall_on_events(&privd->firewall, &err) != 0)",
     "(watch[W_EVENTS].revents != 0 && firewall_on_events(&privd->firewall, &err) > 0)", CHANGED),
    ("(watch[W_LINKS].revents != 0 && firewall_on_links(&privd->firewall, &err) != 0)", "false", NEW_LINK),
    ("\t\tfirewall_shut(&privd->firewall);\n", "", MOMENT),
    ("if (poll(&dead, 1, LAST_WAIT_MS) <= 0)\n\t\treturn false;", "",
     [L + "::test_a_worker_of_a_unit_that_does_not_end_keeps_its_policy"]),
    ("if (worker_is_gone(privd))", "if (true)", [L + "::test_a_worker_that_does_not_end_keeps_its_policy"]),
    ("\t\tfirewall_remove(&privd->firewall);\n", "\t\t(void)0;\n", [L + "::test_clean_end_leaves_nothing"]),
    ("WTERMSIG(status) == SIGSYS ? EX_SOFTWARE : EX_UNAVAILABLE", "EX_UNAVAILABLE", [L + "::test_forbidden_call_is_death[exec]"]),
]

OPS = [
    ("index >= privd->listeners ? -ENOENT :", "", quota("LISTENER, 0")),
    ("fd < 0 ? -ENOENT :", "", quota("CLIENT")),
    ("privd->client = -1; /*", "/*", quota("CLIENT")),
    ("{ op_hello, 4 }", "{ op_hello, 0 }", quota("HELLO, 1")),
    ("{ op_open_raw, 16 }", "{ op_open_raw, 0 }", quota("RAW, 1")),
    ("{ op_open_ring, 2 }", "{ op_open_ring, 0 }", quota("RING")),
    ("{ op_open_departures, 2 }", "{ op_open_departures, 0 }", quota("DEPARTURES")),
    ("{ op_open_route, 8 }", "{ op_open_route, 0 }", quota("ROUTE")),
    ("{ op_open_listener, 2 * PP_LISTENERS_MAX }", "{ op_open_listener, 0 }", quota("LISTENER, 0")),
    ("{ op_open_client, 2 }", "{ op_open_client, 0 }", quota("CLIENT")),
    ("{ op_open_port, 64 }", "{ op_open_port, 0 }", quota("PORT, 2, 133")),
    ("privd->policy.mark | MARK_KIND_TX),\n\t    false", "0),\n\t    false", refused("source of a stranger")),
    ("privd->policy.mark | MARK_KIND_RX", "0", [B + "::test_the_ring_cannot_send"]),
]

PORTS = [
    ("if (of->port < PRIVILEGED_PORTS && of->proto != PP_ICMP)", "if (of->port == 0 && of->proto != PP_ICMP)",
     [F + "::test_low_ports_are_the_hosts_own_whatever_the_kernel_allows"]),
    ("return of->port == 0 ? -EINVAL : -EACCES;", "return -EACCES;", [L + "::test_low_port_needs_the_configuration"]),
    ("if (hold_find(ports->hold, ports->count, of) >= 0)\n\t\treturn 0;", "", TWICE),
    ("if (ports->count == PP_PORTS_MAX)\n\t\treturn -EDQUOT;", "", [L + "::test_holds_have_a_limit_and_can_be_given_back"]),
    ("rc = filter_attach_drop_all(fd);\n\tif (rc == 0)\n\t\trc = any_bind", "rc = any_bind",
     [L + "::test_a_reserved_port_queues_nothing"]),
    ("rc = any_bind(fd, (uint16_t)of->port);", "rc = 0;", [L + "::test_port_of_another_program_is_refused"]),
    ("if (i < 0)\n\t\treturn i;\n\tfilter", "if (i < 0)\n\t\treturn 0;\n\tfilter", TWICE),
    ("filter_port_set(ports->filter, of, false);", "(void)0;", HEARD),
    ("filter_port_set(ports->filter, of, true);", "(void)0;", HEARD),
    ("\tif (ports->hold[i].fd >= 0)\n\t\t(void)close(ports->hold[i].fd);\n", "", ONE_WORKER),
    ("if (hold[i].of.port == of->port && hold[i].of.proto == of->proto)", "if (hold[i].of.port == of->port)",
     [L + "::test_a_number_is_reserved_for_each_protocol_by_itself"]),
    ("return i < 0 ? -EACCES :", "return i < 0 ? 0 :", quota("PORT, 2, 133")),
    ("if (rc == 0 && setsockopt(fd, SOL_SOCKET, SO_MARK", "if (rc != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK",
     [L + "::test_configured_port_is_handed_over_and_ruled"]),
]

OPEN = [
    ("\trc = filter_attach_drop_all(fd);\n\trc = option(fd, rc, SOL_SOCKET, SO_MARK",
     "\trc = 0;\n\trc = option(fd, rc, SOL_SOCKET, SO_MARK", FIXED),
    ("\trc = option(fd, rc, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));\n\tif", "\tif",
     [B + "::test_the_ring_cannot_send"]),
    ("\trc = option(fd, rc, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));\n\trc", "\trc", refused("source of a stranger")),
    ("\tif (rc == 0)\n\t\trc = filter_attach_ring(filter, fd);\n", "\t(void)filter;\n",
     [B + "::test_the_ring_does_not_hear_strangers[other port]"]),
]

SERVE = [
    ("rc == -ECONNRESET || (rc == 0 && len == 0 && fd < 0)", "rc == -ECONNRESET || (rc == 0 && len == 0)", []),
    ("if (fd >= 0) {\n\t\t(void)close(fd);\n\t\treturn errbuf_set(reterr, -EPROTO, \"a descriptor that nobody asked for\");\n\t}",
     "", []),
    ("if (rc != 0)\n\t\treturn errbuf_set(reterr, rc, \"no request", "if (false)\n\t\treturn errbuf_set(reterr, rc, \"no request",
     [L + "::test_malformed_request_ends_the_session"]),
    ("ops[id].quota != 0 && s->answered[id] >= ops[id].quota", "false", []),
    ("\ts->answered[id]++;\n", "", []),
    ("call.fd = -1; /* a refusal carries nothing */", "(void)0;", []),
    ("call.fd, MSG_DONTWAIT)", "call.fd, 0)", []),
    ("if (call.fd >= 0 && !call.lent)", "if (false)", [L + "::test_descriptors_of_privd_stay_as_many"]),
    ("if (call.fd >= 0 && !call.lent)", "if (call.fd >= 0)", []),
]

CODEC = [
    ("if (v < f->min || v > f->max)\n\t\t\treturn false;\n\t\twr_u32", "wr_u32", []),
    ("if (r->bad || v < f->min || v > f->max)", "if (r->bad || v > f->max)", []),
    ("if (r->bad || v < f->min || v > f->max)", "if (r->bad || v < f->min)", []),
    ("if (r->bad || v < f->min || v > f->max)", "if (v < f->min || v > f->max)", []),
    ("return rd_left(r) == 0;", "return true;", []),
    ("id < PP_MSG_MAX && pp_msgs[id].name != NULL", "id < PP_MSG_MAX", []),
]

IO = [
    ("(mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0", "(mh->msg_flags & MSG_CTRUNC) == 0", []),
    ("(mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0", "(mh->msg_flags & MSG_TRUNC) == 0", []),
    ("if (fd >= 0)\n\t\t\t(void)close(fd);\n\t\treturn -EPROTO;", "return -EPROTO;", []),
    ("n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);", "n = recvmsg(sock, &mh, 0);", []),
]

MAIN = [
    ("type == SOCK_SEQPACKET && privd->accepting < 0", "type == SOCK_SEQPACKET", wrong_kind("two for workers")),
    ("type == SOCK_SEQPACKET && privd->accepting < 0", "privd->accepting < 0", wrong_kind("datagrams")),
    ("if (count > 0 && privd->accepting < 0)", "if (false)", wrong_kind("a stream alone")),
    ("if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)", "if (false)", wrong_kind("no socket")),
    ("if (count == 0 && geteuid() != 0)", "if (false)", [L + "::test_without_root_and_manager_it_says_what_to_do"]),
    ("rc = prefixes_read(&dnp, files->path[i], reterr);", "(void)prefixes_read(&dnp, files->path[i], reterr);",
     [L + "::test_bad_prefix_is_named_by_line"]),
    ("rc = firewall_self_test(&privd->policy, reterr);", "rc = 0;",
     [L + "::test_a_firewall_that_takes_our_mark_away_is_found_out"]),
    ("privd->listeners + wanted > PP_LISTENERS_MAX", "false", [S + "::test_more_control_sockets_than_there_is_room_for"]),
    ("rc = start_alone(privd, reterr);", "rc = 0;", [L + "::test_a_second_privd_is_told_who_is_first"]),
    ("return sandbox_drop(privd, reterr);", "return 0;", [L + "::test_what_both_processes_have_left"]),
    ("rc = sandbox_enter(&err);", "rc = 0;", [L + "::test_what_both_processes_have_left"]),
    ("strnum_u32(optarg, 3, 65535, &fd) != 0 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0",
     "strnum_u32(optarg, 3, 65535, &fd) != 0", [L + "::test_bad_usage_is_64"]),
    ("if (rc == 0 && optind < argc) {", "if (false) {", [L + "::test_bad_usage_is_64"]),
]

START = [
    ("privd->ids.uid == privd->worker_ids.uid", "false", [S + "::test_worker_and_helper_must_not_share_a_user"]),
    ("SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);\n\tstruct ucred", "SOCK_STREAM | SOCK_CLOEXEC, 0);\n\tstruct ucred",
     [F + "::test_a_stranger_who_never_accepts_is_not_waited_for"]),
    ("(cred.uid == 0 || cred.uid == privd->ids.uid)", "true",
     [L + "::test_a_stranger_cannot_keep_privd_from_starting"]),
    ("if (access(program, X_OK) < 0)", "if (false)", [S + "::test_a_worker_that_is_not_there"]),
    ("syscall(SYS_close_range, output ? 5 : 4, ~0u, 0) < 0)", "false)",
     [L + "::test_the_worker_inherits_its_channel_and_nothing_else"]),
    ("char *env[] = { NULL };", "char **env = environ;", [L + "::test_the_worker_inherits_its_channel_and_nothing_else"]),
]

SANDBOX = [
    ("if (st.uid[i] != privd->ids.uid || st.gid[i] != privd->ids.gid)", "if (st.gid[i] != privd->ids.gid)", STAYED),
    ("if (st.uid[i] != privd->ids.uid || st.gid[i] != privd->ids.gid)", "if (st.uid[i] != privd->ids.uid)", STAYED),
    ("(root && st.cap_bnd != CAPS) ||", "", LIED),
    ("st.cap_eff != CAPS || st.cap_prm != CAPS ||", "", STAYED),
    ("|| st.no_new_privs != 1)", ")", LIED),
    ("rc = errbuf_set(reterr, -EPERM, \"cannot give privileges up (step %d)\", rc);", "rc = 0;", STAYED),
    ("rc = verify(privd, root, fd, reterr);", "rc = 0;", STAYED),
    ("prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0", "false",
     [L + "::test_activated_privd_keeps_two_capabilities_of_three"]),
    ("setrlimit(RLIMIT_CORE, &none) < 0", "false", [L + "::test_what_both_processes_have_left"]),
    ("setrlimit(RLIMIT_NPROC, &none) < 0", "false", [L + "::test_what_both_processes_have_left"]),
    ("files.rlim_cur = files.rlim_max;", "", [F + "::test_a_shells_limit_of_descriptors_is_not_the_limit_of_ports"]),
]

# Rows of the policy: the line goes.
ROWS = [
    ('{ "vx", { MARK(0x00ff0000, FW_NE, MARK_KIND_TX) }, DROP("kind") },',
     [B + "::test_a_mark_of_ours_that_is_not_for_sending_does_not_send"]),
    ('{ "v4", { NET(0, 1, 0, FW_NE, 0x45) }, FW_JUMP, "opts" },', refused("loose source route")),
    ('{ "v4", { NET(6, 2, 0x3fff, FW_NE, 0) }, DROP("fragment") },', refused("first fragment", "later fragment")),
    ('{ "v4", { IN(4, 16, 4) }, DROP("dnp") },', DNP),
    ('{ "v4", { NET(16, 1, 0, FW_GE, 224) }, DROP("group") },', refused("multicast")),
    ('{ "v4", { DADDR(FW_EQ, RTN_BROADCAST) }, DROP("group") },', refused("broadcast")),
    ('{ "v4", { SADDR(FW_NE, RTN_LOCAL) }, DROP("source"), FW_UNLESS_SPOOF },', refused("source of a stranger")),
    ('{ "v4", { NET(12, 1, 0, FW_EQ, 127), OIF(FW_NE, LO) }, DROP("source") },', refused("source on loopback")),
    ('{ "v4", { { 0 } }, DROP("protocol") },', refused("tunnel 4", "tunnel gre")),
    ('{ "opts", { NET(0, 1, 0xf0, FW_NE, 0x40) }, DROP("header") },', refused("version 6 in 4")),
    ('{ "opts", { HAS(FW_OPT4, OPT_LSRR) }, DROP("route") },', refused("loose source route")),
    ('{ "opts", { HAS(FW_OPT4, OPT_SSRR) }, DROP("route") },', refused("strict source route")),
    ('{ "icmp4", { { 0 } }, DROP("protocol") },', refused("icmp redirect", "icmp unreachable", "icmp echo reply")),
    ('{ "v6", { NET(0, 1, 0xf0, FW_NE, 0x60) }, DROP("header") },', refused("version 4 in 6")),
    ('{ "v6", { HAS(FW_EXT6, IPPROTO_ROUTING) }, DROP("route") },', refused("routing header")),
    ('{ "v6", { IN(6, 24, 16) }, DROP("dnp") },', DNP),
    ('{ "v6", { NET(24, 1, 0, FW_EQ, 0xff) }, DROP("group") },', refused("multicast 6")),
    ('{ "v6", { SADDR(FW_NE, RTN_LOCAL) }, DROP("source"), FW_UNLESS_SPOOF },', refused("source of a stranger 6")),
    ('{ "v6", { NET(8, 8, 0, FW_EQ, 0), OIF(FW_NE, LO) }, DROP("source") },', refused("source ::1")),
    ('{ "v6", { { 0 } }, DROP("protocol") },', refused("tunnel 6")),
    ('{ "icmp6", { { 0 } }, DROP("protocol") },', refused("router advertisement")),
    ('{ "ok", { OIF(FW_EQ, LO) }, DROP("local"), FW_UNLESS_LOCAL },', refused("this host", "loopback", "loopback 6")),
    ('{ "ok", { { FW_OVER } }, DROP("rate") },', [L + "::test_rate_is_kept"]),
]

NFT = [
    ("r->unless == FW_UNLESS_SPOOF && policy->spoof", "r->unless == FW_UNLESS_SPOOF", refused("source of a stranger")),
    ("r->unless == FW_UNLESS_LOCAL && policy->local", "r->unless == FW_UNLESS_LOCAL", refused("this host")),
    ("NFT_TABLE_F_OWNER | TABLE_F_PERSIST, 0 }", "NFT_TABLE_F_OWNER, 0 }",
     [L + "::test_killed_privd_fails_closed_and_the_next_start_cleans"]),
    ("table != NULL && strcmp(table, TABLE) == 0", "false", CHANGED),
    ("table != NULL && strcmp(table, TABLE) == 0", "table != NULL",
     [O + "::test_without_owners_other_tables_are_others_affair"]),
    ("RTM_NEWLINK ? egress_cover(fw, (uint32_t)info->ifi_index, name) : 0;", "RTM_NEWLINK ? 0 : 0;", NEW_LINK),
    ("&& info->ifi_family == AF_UNSPEC)", ")", [F + "::test_a_port_that_leaves_its_bridge_is_covered_all_the_time"]),
    ("\t\tegress_uncover(fw, (uint32_t)info->ifi_index);\n", "\t\t(void)0;\n",
     [F + "::test_interfaces_that_go_take_their_chain_along"]),
    ("fw->egress = egress_install(fw, policy) == 0;", "fw->egress = true;", [B + "::test_the_ring_cannot_send"]),
]

MUTANTS = [(path, old, new, tests) for path, table in (
    ("privd/loop.c", LOOP), ("privd/ops.c", OPS), ("privd/ports.c", PORTS), ("privd/open.c", OPEN),
    ("privd/serve.c", SERVE), ("proto/priv/pp_codec.c", CODEC), ("proto/priv/pp_io.c", IO), ("privd/main.c", MAIN),
    ("privd/start.c", START), ("privd/sandbox.c", SANDBOX),
    ("firewall/rules.c", [(row, "", tests) for row, tests in ROWS]), ("firewall/nft.c", NFT),
) for old, new, tests in table]

# Checks that no test can miss, and why.
EQUIVALENT = {
    'firewall/rules.c: { "vx", { { 0 } }, DROP("kind") }': "the hook is shown IPv4 and IPv6 alone",
    'firewall/rules.c: { "opts", { NET(0, 1, 0x0f, FW_LT, 5) }, DROP("header") }':
        "Linux refuses such a header (EINVAL) before the hook sees it",
    "privd/loop.c: getsockopt(SO_PEERCRED) < 0": "cannot fail on a UNIX socket",
    "privd/sandbox.c: st.cap_inh != 0 || st.cap_amb != 0": "both are within the permitted set, which is checked",
    "proto/priv/pp_io.c: msg_controllen = CMSG_LEN": "with room for two, control_take refuses the second by its length",
    "proto/priv/pp_codec.c: r.bad ? NULL": "a record too short for an id reads as 0, which is no request",
    "firewall/nft.c: ENOBUFS while watching": "takes 16 MiB of foreign changes within one wake-up",
}
