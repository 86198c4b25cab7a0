#ifndef VANTAGE_CLIENT_STATUS_H
#define VANTAGE_CLIENT_STATUS_H

/* Exit statuses, as sysexits(3) numbers them. */
enum status {
	STATUS_OK = 0,
	STATUS_USAGE = 64,
	STATUS_DATA = 65, /* a line, command or file was bad; the others were done */
	STATUS_AWAY = 69, /* no service, or it went away */
	STATUS_INTERNAL = 70,
	STATUS_CREATE = 73, /* output cannot be created or written */
	STATUS_LIMIT = 75,
	STATUS_PERMISSION = 77,
	STATUS_CONFIG = 78,
	STATUS_SIGNAL = 128, /* plus the signal's number */
};

#endif
