#include "firewall/filters.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/priv/departure.h"

#define PORTS (3 * 65536)
#define PORT_STRIDE 8 /* the kernel rounds a value up to eight bytes */
#define PORTS_BYTES ((size_t)PORTS * PORT_STRIDE)
#define BASE_TCP 0
#define BASE_UDP 65536
#define BASE_ICMP (2 * 65536)

/* Bytes of a packet that reach the ring: enough for what a reply quotes. */
#define SNAP_IN 1400

/* clang-format off: one thought a line is what makes the table readable */
enum label {
	NEXT, /* fall through */
	L_LENGTH,
	L_IN,
	L_PROTO,
	L_V4,
	L_QUOTE4,
	L_V6,
	L_EXT6,
	L_FRAG6,
	L_PROTO6,
	L_QUOTE6,
	L_QFIRST6,
	L_QPROTO6,
	L_TCP,
	L_UDP,
	L_ID,
	L_QTCP,
	L_QUDP,
	L_QID,
	L_LOOKUP,
	L_DROP,
	LABELS,
};

struct row {
	struct bpf_insn insn;
	enum label to;   /* where a jump goes */
	enum label here; /* a name for the next instruction; no instruction itself */
};

/* r6: packet; r7: a value; r8: offset of what is read next; r9: protocol, then
 * base in the port map. The stack holds a copy of the header at hand. Of a
 * packet that leaves r7 is its departure, r8 the length, r9 the number. */
#define BUF (-48)
#define KEY (-52)
#define R(n) BPF_REG_##n
#define I(op, d, s, o, k)                                                                                    \
	{                                                                                                    \
		{ .code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (k) }, NEXT, NEXT         \
	}
#define JUMP(op, d, k, l)                                                                                    \
	{                                                                                                    \
		{ .code = BPF_JMP | (op) | BPF_K, .dst_reg = (d), .imm = (k) }, l, NEXT                      \
	}
#define AT(l)                                                                                                \
	{                                                                                                    \
		{ 0 }, NEXT, l                                                                               \
	}
#define GOTO(l) JUMP(BPF_JA, 0, 0, l)
#define JEQ(d, k, l) JUMP(BPF_JEQ, d, k, l)
#define JNE(d, k, l) JUMP(BPF_JNE, d, k, l)
#define JLT(d, k, l) JUMP(BPF_JLT, d, k, l)
#define JGT(d, k, l) JUMP(BPF_JGT, d, k, l)
#define MOV(d, s) I(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, k) I(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, k)
#define ADD(d, s) I(BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define ADDK(d, k) I(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, k)
#define AND(d, k) I(BPF_ALU64 | BPF_AND | BPF_K, d, 0, 0, k)
#define LSH(d, k) I(BPF_ALU64 | BPF_LSH | BPF_K, d, 0, 0, k)
#define RSH(d, k) I(BPF_ALU64 | BPF_RSH | BPF_K, d, 0, 0, k)
#define META(d, f) I(BPF_LDX | BPF_MEM | BPF_W, d, R(6), (int16_t)offsetof(struct __sk_buff, f), 0)
#define BYTE(d, o) I(BPF_LDX | BPF_MEM | BPF_B, d, R(10), BUF + (o), 0)
#define HALF(d, o)                                                                                           \
	I(BPF_LDX | BPF_MEM | BPF_H, d, R(10), BUF + (o), 0), I(BPF_ALU | BPF_END | BPF_TO_BE, d, 0, 0, 16)
/* n bytes at r8 into the copy; a packet that is too short is not for us. */
#define LOAD(n)                                                                                              \
	MOV(R(1), R(6)), MOV(R(2), R(8)), MOV(R(3), R(10)), ADDK(R(3), BUF), SET(R(4), n),                   \
	    CALL(BPF_FUNC_skb_load_bytes), JNE(R(0), 0, L_DROP)
#define VERSION(n) BYTE(R(7), 0), RSH(R(7), 4), JNE(R(7), n, L_DROP)
/* Length of the IPv4 header in r7. */
#define IHL() BYTE(R(7), 0), AND(R(7), 15), LSH(R(7), 2), JLT(R(7), 20, L_DROP)
#define RETURN(k) SET(R(0), k), I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define CALL(f) I(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define STORE(size, d, o, s) I(BPF_STX | BPF_MEM | (size), d, s, o, 0)
/* Full barriers both; what was there before is in s afterwards. */
#define FETCH_ADD(d, o, s) I(BPF_STX | BPF_ATOMIC | BPF_W, d, s, o, BPF_ADD | BPF_FETCH)
#define EXCHANGE(d, o, s) I(BPF_STX | BPF_ATOMIC | BPF_W, d, s, o, BPF_XCHG)
/* A pointer to a map's value in r0, its number in k. By the helper: reckoning
 * with the map's address takes one privilege more, CAP_PERFMON. */
#define VALUE(map, k)                                                                                        \
	STORE(BPF_W, R(10), KEY, k), MOV(R(2), R(10)), ADDK(R(2), KEY),                                      \
	    I(BPF_LD | BPF_IMM | BPF_DW, R(1), BPF_PSEUDO_MAP_FD, 0, map), I(0, 0, 0, 0, 0),                 \
	    CALL(BPF_FUNC_map_lookup_elem), JEQ(R(0), 0, L_DROP)
#define PORT_MAP 0
#define DEPARTURE_MAP 1

#define MARK_BLANK (-1) /* the mark's upper half, known at the start only */

static const struct row program[] = {
	MOV(R(6), R(1)),
	META(R(7), pkt_type),
	JNE(R(7), PACKET_OUTGOING, L_IN),
	META(R(7), mark),
	RSH(R(7), 16),
	JNE(R(7), MARK_BLANK, L_DROP),
	/* Out: the next departure. */
	META(R(8), len),
	JEQ(R(8), 0, L_DROP),
	JLT(R(8), DEPARTURE_BYTES, L_LENGTH),
	SET(R(8), DEPARTURE_BYTES),
	AT(L_LENGTH),
	SET(R(7), DEPARTURES),
	VALUE(DEPARTURE_MAP, R(7)),
	SET(R(9), 1),
	FETCH_ADD(R(0), 0, R(9)),
	MOV(R(7), R(9)),
	AND(R(7), DEPARTURES - 1),
	VALUE(DEPARTURE_MAP, R(7)),
	MOV(R(7), R(0)),
	CALL(BPF_FUNC_ktime_get_ns),
	STORE(BPF_DW, R(7), offsetof(struct departure, mono), R(0)),
	STORE(BPF_W, R(7), offsetof(struct departure, len), R(8)),
	MOV(R(1), R(6)),
	SET(R(2), 0),
	MOV(R(3), R(7)),
	ADDK(R(3), offsetof(struct departure, bytes)),
	MOV(R(4), R(8)),
	CALL(BPF_FUNC_skb_load_bytes),
	ADDK(R(9), 1),
	EXCHANGE(R(7), offsetof(struct departure, seq), R(9)),
	RETURN(0),

	/* In: for this host, and not the tagged copy of a frame that its VLAN
	 * device will show again. */
	AT(L_IN),
	JNE(R(7), PACKET_HOST, L_DROP),
	META(R(7), vlan_present),
	JEQ(R(7), 0, L_PROTO),
	META(R(7), vlan_tci),
	AND(R(7), 0xfff),
	JNE(R(7), 0, L_DROP),
	AT(L_PROTO),
	SET(R(8), 0),
	META(R(7), protocol),
	JEQ(R(7), __builtin_bswap16(ETH_P_IP), L_V4),
	JEQ(R(7), __builtin_bswap16(ETH_P_IPV6), L_V6),
	GOTO(L_DROP),

	/* RFC 791: later fragments have no port to judge by. */
	AT(L_V4),
	LOAD(20),
	VERSION(4),
	HALF(R(7), 6),
	AND(R(7), 0x1fff),
	JNE(R(7), 0, L_DROP),
	BYTE(R(9), 9),
	IHL(),
	ADD(R(8), R(7)),
	JEQ(R(9), 6, L_TCP),
	JEQ(R(9), 17, L_UDP),
	JNE(R(9), 1, L_DROP),
	/* RFC 792: echo and timestamp reply, then the errors. */
	LOAD(8),
	BYTE(R(7), 0),
	JEQ(R(7), 0, L_ID),
	JEQ(R(7), 14, L_ID),
	JEQ(R(7), 3, L_QUOTE4),
	JEQ(R(7), 11, L_QUOTE4),
	JEQ(R(7), 12, L_QUOTE4),
	GOTO(L_DROP),
	/* The quoted packet, its options respected: ours when its source port or
	 * the identifier of its request is. */
	AT(L_QUOTE4),
	ADDK(R(8), 8),
	LOAD(20),
	VERSION(4),
	BYTE(R(9), 9),
	IHL(),
	ADD(R(8), R(7)),
	JEQ(R(9), 6, L_QTCP),
	JEQ(R(9), 17, L_QUDP),
	JNE(R(9), 1, L_DROP),
	LOAD(8),
	BYTE(R(7), 0),
	JEQ(R(7), 8, L_ID),
	JEQ(R(7), 13, L_ID),
	GOTO(L_DROP),

	/* RFC 8200: one extension header is followed. */
	AT(L_V6),
	LOAD(40),
	VERSION(6),
	BYTE(R(9), 6),
	ADDK(R(8), 40),
	JEQ(R(9), 44, L_FRAG6),
	JEQ(R(9), 0, L_EXT6),
	JEQ(R(9), 60, L_EXT6),
	GOTO(L_PROTO6),
	AT(L_EXT6),
	LOAD(8),
	BYTE(R(9), 0),
	BYTE(R(7), 1),
	ADDK(R(7), 1),
	LSH(R(7), 3),
	ADD(R(8), R(7)),
	GOTO(L_PROTO6),
	AT(L_FRAG6),
	LOAD(8),
	BYTE(R(9), 0),
	HALF(R(7), 2),
	AND(R(7), 0xfff8),
	JNE(R(7), 0, L_DROP),
	ADDK(R(8), 8),
	AT(L_PROTO6),
	JEQ(R(9), 6, L_TCP),
	JEQ(R(9), 17, L_UDP),
	JNE(R(9), 58, L_DROP),
	/* RFC 4443: echo reply; errors are types 1 to 4. */
	LOAD(8),
	BYTE(R(7), 0),
	JEQ(R(7), 129, L_ID),
	JEQ(R(7), 0, L_DROP),
	JGT(R(7), 4, L_DROP),
	AT(L_QUOTE6),
	ADDK(R(8), 8),
	LOAD(40),
	VERSION(6),
	BYTE(R(9), 6),
	ADDK(R(8), 40),
	JNE(R(9), 44, L_QPROTO6),
	/* A quoted fragment of ours: with an offset there is no port behind it,
	 * the upper half of its identifier is the port (trace with an offset). */
	LOAD(8),
	BYTE(R(9), 0),
	HALF(R(7), 2),
	AND(R(7), 0xfff8),
	JEQ(R(7), 0, L_QFIRST6),
	ADDK(R(8), 4),
	JEQ(R(9), 6, L_QTCP),
	JEQ(R(9), 17, L_QUDP),
	JEQ(R(9), 58, L_QID),
	GOTO(L_DROP),
	AT(L_QFIRST6),
	ADDK(R(8), 8),
	AT(L_QPROTO6),
	JEQ(R(9), 6, L_QTCP),
	JEQ(R(9), 17, L_QUDP),
	JNE(R(9), 58, L_DROP),
	LOAD(8),
	BYTE(R(7), 0),
	JEQ(R(7), 128, L_ID),
	GOTO(L_DROP),

	/* What came is for the destination port; what is quoted came from the
	 * source port, which is where r8 points already. */
	AT(L_TCP),
	ADDK(R(8), 2),
	AT(L_QTCP),
	SET(R(9), BASE_TCP),
	GOTO(L_LOOKUP),
	AT(L_UDP),
	ADDK(R(8), 2),
	AT(L_QUDP),
	SET(R(9), BASE_UDP),
	GOTO(L_LOOKUP),
	AT(L_ID),
	ADDK(R(8), 4),
	AT(L_QID),
	SET(R(9), BASE_ICMP),
	AT(L_LOOKUP),
	LOAD(2),
	HALF(R(7), 0),
	ADD(R(7), R(9)),
	VALUE(PORT_MAP, R(7)),
	I(BPF_LDX | BPF_MEM | BPF_B, R(1), R(0), 0, 0),
	JEQ(R(1), 0, L_DROP),
	RETURN(SNAP_IN),
	AT(L_DROP),
	RETURN(0),
};

/* clang-format on */

#define ROWS (sizeof(program) / sizeof(program[0]))

struct assembly {
	struct bpf_insn insn[ROWS];
	enum label to[ROWS];
	uint32_t at[LABELS];
	uint32_t count;
};

/* Rows to instructions: labels become distances, the mark and the maps get
 * their values. */
static void
assemble(struct assembly *as, uint32_t mark_tx, const int *map_fd)
{
	for (uint32_t i = 0; i < ROWS; i++) {
		if (program[i].here != NEXT) {
			as->at[program[i].here] = as->count;
			continue;
		}
		as->to[as->count] = program[i].to;
		as->insn[as->count++] = program[i].insn;
	}
	for (uint32_t i = 0; i < as->count; i++) {
		struct bpf_insn *insn = &as->insn[i];

		if (as->to[i] != NEXT)
			insn->off = (int16_t)(as->at[as->to[i]] - i - 1);
		if (insn->imm == MARK_BLANK)
			insn->imm = (int32_t)(mark_tx >> 16);
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
			insn->imm = map_fd[insn->imm];
	}
}

static int
bpf(enum bpf_cmd cmd, union bpf_attr *attr, const char *what, struct errbuf *reterr)
{
	long fd = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	if (fd >= 0)
		return (int)fd;
	return errbuf_set(reterr, -errno,
	    "the kernel refuses the receive filter's %s (bpf: %s): needs CAP_BPF at the start and Linux 5.12",
	    what, strerror(errno));
}

static int
map_create(uint32_t value_size, uint32_t count, const char *what, struct errbuf *reterr)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY };

	attr.key_size = 4;
	attr.value_size = value_size;
	attr.max_entries = count;
	attr.map_flags = BPF_F_MMAPABLE;
	return bpf(BPF_MAP_CREATE, &attr, what, reterr);
}

/* From now on the program alone writes into it: whoever is given its descriptor
 * can map it for reading. */
static int
map_freeze(int fd, const char *what, struct errbuf *reterr)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	return bpf(BPF_MAP_FREEZE, &attr, what, reterr);
}

static int
prog_load(const int *map_fd, uint32_t mark_tx, struct errbuf *reterr)
{
	struct assembly as = { .count = 0 };
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER };

	assemble(&as, mark_tx, map_fd);
	attr.insns = (uint64_t)(uintptr_t)as.insn;
	attr.insn_cnt = as.count;
	attr.license = (uint64_t)(uintptr_t) "BSD";
	return bpf(BPF_PROG_LOAD, &attr, "program", reterr);
}

int
filter_init(struct filter *f, uint32_t mark_tx, struct errbuf *reterr)
{
	int map_fd[2], rc;
	void *ports;

	map_fd[PORT_MAP] = map_create(1, PORTS, "port map", reterr);
	if (map_fd[PORT_MAP] < 0)
		return map_fd[PORT_MAP];
	map_fd[DEPARTURE_MAP] = map_create(sizeof(struct departure), DEPARTURES + 1, "departures", reterr);
	if (map_fd[DEPARTURE_MAP] < 0)
		return map_fd[DEPARTURE_MAP];
	rc = map_freeze(map_fd[DEPARTURE_MAP], "departures", reterr);
	if (rc < 0)
		return rc;
	f->departures_fd = map_fd[DEPARTURE_MAP];
	f->prog_fd = prog_load(map_fd, mark_tx, reterr);
	ports = mmap(NULL, PORTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd[PORT_MAP], 0);
	(void)close(map_fd[PORT_MAP]); /* the program and the mapping keep it */
	if (f->prog_fd >= 0 && ports == MAP_FAILED)
		return errbuf_set(reterr, -ENOMEM, "cannot map the port map");
	f->ports = ports;
	return f->prog_fd < 0 ? f->prog_fd : 0;
}

void
filter_port_set(struct filter *f, const struct pp_port *of, bool on)
{
	f->ports[((of->proto - 1) * 65536 + of->port) * PORT_STRIDE] = on;
}

static int
lock(int sock)
{
	const int one = 1;

	return setsockopt(sock, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)) < 0 ? -errno : 0;
}

int
filter_attach_ring(const struct filter *f, int sock)
{
	if (setsockopt(sock, SOL_SOCKET, SO_ATTACH_BPF, &f->prog_fd, sizeof(f->prog_fd)) < 0)
		return -errno;
	return lock(sock);
}

int
filter_attach_drop_all(int sock)
{
	struct sock_filter ret0 = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog prog = { 1, &ret0 };

	if (setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return -errno;
	return lock(sock);
}
