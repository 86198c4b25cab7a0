#ifndef VANTAGE_CLIENT_CONFIG_H
#define VANTAGE_CLIENT_CONFIG_H

#include "client/opts.h"

/* "vantage check-config [FILE]" and "vantage reload [FILE]": exit statuses. */
int check_config_main(const struct opts *);
int reload_main(const struct opts *);

#endif
