#ifndef VANTAGE_COMMON_LIMITS_H
#define VANTAGE_COMMON_LIMITS_H

/*
 * What a client or the network can make grow, and how far. Each has a test
 * that reaches it.
 */

/* ---- control connections ---- */

/* Connections at once, and those of one user who is no operator (all of TCP are
 * one such user); one more is told so and closed. The last ones are kept for
 * operators, who must be able to come in and end what fills the others. */
#define CTL_CONNS_MAX 3072
#define CTL_CONNS_UID_MAX 2048
#define CTL_CONNS_KEPT 64

/* Bytes, lines and time that one connection is given before it is another's
 * turn, and the time for all turns before probes and replies are looked after:
 * a flood of commands, from however many clients, delays neither the packets of
 * others nor their commands by much more. */
#define CTL_READ_BYTES (16 * 1024)
#define CTL_READ_LINES 1024
#define CTL_TURN_NS 250000
#define CTL_TURNS_NS 500000

/* Commands accepted and not yet begun, per connection; then its socket is not
 * read until half of them have gone. A user's connections have this many
 * together, and each its equal part of them, but never less than the least. */
#define CTL_QUEUE_MAX 4096
#define CTL_QUEUE_UID_MAX 131072
#define CTL_QUEUE_MIN 16

/* Commands accepted and not yet ended, of one user; more are refused. One
 * connection alone stays below it. */
#define CTL_TASKS_UID_MAX (1024 * 1024)

/* Output waiting for a client that reads slowly: above the mark its source
 * begins no new task and its socket is not read; above the end it is cut. The
 * distance is what running tasks may still yield. */
#define CTL_OUT_MARK (512 * 1024)
#define CTL_OUT_MAX (32 * 1024 * 1024)

/* Memory for output in all connections together; beyond it the user who holds
 * most loses the connection that holds most of it. */
#define CTL_OUT_TOTAL (128 * 1024 * 1024)

/* How long a connection that is about to close, or whose client will send
 * nothing more, may take none of the output that waits for it; one that is
 * attached has results, for which a person may be paging through the first. */
#define CTL_DRAIN_MS 30000
#define CTL_DRAIN_ATTACHED_MS 300000

/* Memory that an emptied output buffer keeps. */
#define CTL_OUT_KEEP (8 * 1024)

/* Tasks that one connection may have running, if it asks for no window. */
#define CTL_RUNNING_MAX 1000000

/* Tasks of a vanished client that are ended in one run of the loop. */
#define CTL_DROP_BATCH 512

/* A connection's name: "<socket path>:<n>", "[address]:port". */
#define CTL_NAME_MAX 160

/* Texts that "set" keeps, with their terminator. */
#define CTL_MONITOR_MAX 256
#define CTL_COMMAND_MAX 1024

/* ---- output files and managed sources ---- */

/* Open at once. */
#define OUTFILES_MAX 64

/* Records that wait for the disk, in bytes for each file: above the mark its
 * sources begin nothing new; the distance is what their running tasks may still
 * yield. */
#define OUTFILE_WAIT_MARK (1024 * 1024)
#define OUTFILE_WAIT_MAX (64 * 1024 * 1024)

/* What is read at once, of what a file holds, when it is looked through to append
 * to it: probes and clients wait meanwhile. */
#define OUTFILE_LOOK_BYTES (512 * 1024)

/* The longest tail that is cut off as damaged: an interrupted write leaves no
 * more, and what is longer may be records that somebody wants. */
#define OUTFILE_MEND_MAX (1024 * 1024)

/* Sources that "status" tells of, and the bytes of a name that it shows. */
#define STATUS_SOURCES_MAX 256
#define STATUS_NAME_MAX 64

/* Managed sources at once. */
#define SOURCES_MAX 64

/* Lines of a list from its first unfinished one to the last that was begun; a
 * power of two. */
#define SOURCE_SPAN_MAX 65536

/* A line of a list without its newline; longer ones are skipped. */
#define LIST_LINE_MAX 1023

/* Names, descriptions and commands of sources, paths and aliases: with their
 * terminator. */
#define SOURCE_TEXT_MAX 1024

/* The state file: all sources, each with its place and four texts. */
#define STATE_MAX (4 * 1024 * 1024)

/* ---- measurements ---- */

/* Replies that a ping keeps beyond one per probe: a stranger who answers each
 * probe a thousand times fills no memory. */
#define PING_SURPLUS_MAX 1024

/* Packet-too-big messages of a ping that wait for their slot. */
#define PING_TOOBIG_MAX 8

#endif
