/* What Wine's tests call to show texts in their messages. */
#include <stdio.h>
#include <string.h>

#include "missing.h"

const char *__wine_dbg_strdup(const char *text)
{
    return strdup(text);
}

const char *debugstr_an(const char *text, int length)
{
    static char shown[256];

    snprintf(shown, sizeof(shown), "\"%.*s\"", length < 0 ? (int)strlen(text) : length, text);
    return shown;
}
