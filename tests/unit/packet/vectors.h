#ifndef VANTAGE_TESTS_UNIT_PACKET_VECTORS_H
#define VANTAGE_TESTS_UNIT_PACKET_VECTORS_H

/*
 * Golden packets, in hex. They were not made by probe_build: a script laid out
 * the fields with another language's packing and found the compensating bytes
 * by trying all 65536, and tcpdump -vv read them back (the text above each).
 */

/*
 * IP (tos 0x0, ttl 3, id 1, offset 0, flags [DF], proto UDP (17), length 44)
 *     192.0.2.1.41000 > 198.51.100.9.33435: [udp sum ok] UDP, length 16
 */
static const char vec_udp4[] =
    "4500002c0001400003118b82c0000201c6336409"
    "a028829b0018f0bb000000000000000000000000"
    "00000000";

/*
 * IP6 (hlim 3, next-header UDP (17) payload length: 20) 2001:db8::1.41000 >
 *     2001:db8:9::9.33435: [udp sum ok] UDP, length 12
 */
static const char vec_udp6[] =
    "600000000014110320010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "a028829b0014817d000000000000000000000000";

/*
 * IP (tos 0x0, ttl 1, id 1, offset 0, flags [DF], proto UDP (17), length 44)
 *     192.0.2.1.41000 > 198.51.100.9.33435: [udp sum ok] UDP, length 16
 */
static const char vec_udp_paris4[] =
    "4500002c0001400001118d82c0000201c6336409"
    "a028829b00180001f0ba00000000000000000000"
    "00000000";

/*
 * IP6 (hlim 1, next-header UDP (17) payload length: 20) 2001:db8::1.41000 >
 *     2001:db8:9::9.33435: [udp sum ok] UDP, length 12
 */
static const char vec_udp_paris6[] =
    "600000000014110120010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "a028829b00140001817c00000000000000000000";

/*
 * IP (tos 0x20, ttl 6, id 6, offset 0, flags [DF], proto ICMP (1), length 44)
 *     192.0.2.1 > 198.51.100.9: ICMP echo request, id 41000, seq 5, length 24
 */
static const char vec_icmp4[] =
    "4520002c000640000601886dc0000201c6336409"
    "080057d2a0280005000000000000000000000000"
    "00000000";

/*
 * IP6 (class 0x20, hlim 6, next-header ICMPv6 (58) payload length: 20) 2001:db8::1 >
 *     2001:db8:9::9: [icmp6 sum ok] ICMP6, echo request, id 41000, seq 5
 */
static const char vec_icmp6[] =
    "6200000000143a0620010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "800083fea0280005000000000000000000000000";

/*
 * IP (tos 0x0, ttl 6, id 6, offset 0, flags [DF], proto ICMP (1), length 44)
 *     192.0.2.1 > 198.51.100.9: ICMP echo request, id 41000, seq 5, length 24
 */
static const char vec_icmp_paris4[] =
    "4500002c000640000601888dc0000201c6336409"
    "0800a028a0280005b7a900000000000000000000"
    "00000000";

/*
 * IP6 (hlim 6, next-header ICMPv6 (58) payload length: 20) 2001:db8::1 > 2001:db8:9::9:
 *     [icmp6 sum ok] ICMP6, echo request, id 41000, seq 5
 */
static const char vec_icmp_paris6[] =
    "6000000000143a0620010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "8000a028a0280005e3d500000000000000000000";

/*
 * IP (tos 0x0, ttl 64, id 4660, offset 0, flags [DF], proto TCP (6), length 44)
 *     192.0.2.1.41000 > 198.51.100.9.443: Flags [S], cksum 0x05ff (correct), seq 16909060,
 *     win 65535, options [mss 1460], length 0
 */
static const char vec_tcp_syn4[] =
    "4500002c1234400040063c5ac0000201c6336409"
    "a02801bb01020304000000006002ffff05ff0000"
    "020405b4";

/*
 * IP6 (flowlabel 0xabcde, hlim 64, next-header TCP (6) payload length: 24) 2001:db8::1.41000
 *     > 2001:db8:9::9.443: Flags [S], cksum 0x96cc (correct), seq 16909060, win 65535,
 *     options [mss 1440], length 0
 */
static const char vec_tcp_syn6[] =
    "600abcde0018064020010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "a02801bb01020304000000006002ffff96cc0000"
    "020405a0";

/*
 * IP (tos 0x0, ttl 9, id 2, offset 0, flags [DF], proto TCP (6), length 40)
 *     192.0.2.1.41000 > 198.51.100.9.80: Flags [.], cksum 0x230f (correct), seq 7, ack 8, win
 *     0, length 0
 */
static const char vec_tcp_ack4[] =
    "450000280002400009068590c0000201c6336409"
    "a0280050000000070000000850100000230f0000";

/*
 * IP6 (flowlabel 0x00002, hlim 9, next-header TCP (6) payload length: 20) 2001:db8::1.41000 >
 *     2001:db8:9::9.80: Flags [.], cksum 0xb3c8 (correct), seq 7, ack 8, win 0, length 0
 */
static const char vec_tcp_ack6[] =
    "600000020014060920010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "a0280050000000070000000850100000b3c80000";

/*
 * IP (tos 0x0, ttl 64, id 9, offset 0, flags [DF], proto ICMP (1), length 71, options (RR
 *     0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0,EOL))
 *     192.0.2.1 > 198.51.100.9: ICMP echo request, id 1, seq 0, length 11
 */
static const char vec_rr4[] =
    "4f0000470009400040013948c0000201c6336409"
    "0727040000000000000000000000000000000000"
    "0000000000000000000000000000000000000000"
    "08005b5000010000deadbe";

/*
 * IP (tos 0x0, ttl 64, id 9, offset 0, flags [DF], proto ICMP (1), length 68, options
 *     (timestamp TS{TSONLY ^ 0@ 0@ 0@ 0@ 0@ 0@ 0@ 0@ 0@}))
 *     192.0.2.1 > 198.51.100.9: ICMP echo request, id 1, seq 0, length 8
 */
static const char vec_tsonly4[] =
    "4f000044000940004001fb49c0000201c6336409"
    "4428050000000000000000000000000000000000"
    "0000000000000000000000000000000000000000"
    "0800f7fe00010000";

/*
 * IP (tos 0x0, ttl 64, id 9, offset 0, flags [DF], proto ICMP (1), length 64, options
 *     (timestamp TS{TS+ADDR ^ 0@0.0.0.0 0@0.0.0.0 0@0.0.0.0 0@0.0.0.0}))
 *     192.0.2.1 > 198.51.100.9: ICMP echo request, id 1, seq 0, length 8
 */
static const char vec_tsaddr4[] =
    "4e000040000940004001fc50c0000201c6336409"
    "4424050100000000000000000000000000000000"
    "000000000000000000000000000000000800f7fe"
    "00010000";

/*
 * IP (tos 0x0, ttl 64, id 9, offset 0, flags [DF], proto ICMP (1), length 48, options
 *     (timestamp TS{PRESPEC ^ 0@192.0.2.7 0@192.0.2.8}))
 *     192.0.2.1 > 198.51.100.9: ICMP echo request, id 1, seq 0, length 8
 */
static const char vec_tsprespec4[] =
    "4a0000300009400040017c5ec0000201c6336409"
    "44140503c000020700000000c000020800000000"
    "0800f7fe00010000";

/*
 * IP6 (hlim 4, next-header Fragment (44) payload length: 32) 2001:db8::1 > 2001:db8:9::9:
 *     frag (0xa0280003:0|24) 41000 > 33435: UDP, length 16
 */
static const char vec_frag6[] =
    "6000000000202c0420010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "11000000a0280003a028829b0018817200000003"
    "000000000000000000000000";

/*
 * IP6 (hlim 4, next-header Fragment (44) payload length: 24) 2001:db8::1 > 2001:db8:9::9:
 *     frag (0xa0280003:1480|16)
 */
static const char vec_fragoff6[] =
    "6000000000182c0420010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "110005c8a028000300000003000000000000000000000000";

/*
 * IP (tos 0x0, ttl 255, id 77, offset 0, flags [DF], proto ICMP (1), length 56)
 *     192.0.2.1 > 198.51.100.9: ICMP 198.51.100.9 unreachable - need to frag (mtu 1280),
 *     length 36
 *     IP (tos 0x0, ttl 3, id 1, offset 0, flags [DF], proto UDP (17), length 44)
 *     192.0.2.1.41000 > 198.51.100.9.33435: UDP, length 16
 */
static const char vec_toobig4[] =
    "45000038004d4000ff018f39c0000201c6336409"
    "0304e463000005004500002c0001400003118b82"
    "c0000201c6336409a028829b0018f0bb";

/*
 * IP6 (hlim 255, next-header ICMPv6 (58) payload length: 68) 2001:db8::1 > 2001:db8:9::9:
 *     [icmp6 sum ok] ICMP6, packet too big, mtu 1280
 */
static const char vec_toobig6[] =
    "6000000000443aff20010db80000000000000000"
    "0000000120010db8000900000000000000000009"
    "02002c0a00000500600000000014110320010db8"
    "00000000000000000000000120010db800090000"
    "0000000000000009a028829b0014817d00000000"
    "0000000000000000";

/*
 * IP (tos 0x0, ttl 64, id 3, offset 0, flags [DF], proto ICMP (1), length 40)
 *     192.0.2.1 > 198.51.100.9: ICMP time stamp query id 5 seq 6, length 20
 */
static const char vec_time4[] =
    "450000280003400040014e94c0000201c6336409"
    "0d00c2610005000602932e000000000000000000";

#endif
