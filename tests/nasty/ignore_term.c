/* Ignores every signal that can be ignored. */
#include "nasty.h"

int main(void)
{
    ignore_signals();
    ready();
    linger();
    return 0;
}
