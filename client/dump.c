#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/output.h"
#include "client/run.h"
#include "client/status.h"
#include "client/ui.h"
#include "proto/record/warts_rd.h"
