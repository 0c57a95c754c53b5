/* What is above a span that is about to start. */

#ifndef OTEL_FLIGHT_PARENT_H
#define OTEL_FLIGHT_PARENT_H

#include "span.h"

/* What a span inherits from what is above it. */
typedef struct {
    PyObject *context; /* None: there is nothing above it */
    PyObject *trace_id, *state;
    long flags;
    int is_remote;
} Above;

static void
let_go(Above *above)
{
    Py_CLEAR(above->context);
    Py_CLEAR(above->trace_id);
    Py_CLEAR(above->state);
}

/* Reads what is above a span from its context; returns whether that is usual. */
static int
read_context(Above *above, PyObject *context)
{
    if ((PyObject *)Py_TYPE(context) != known.span_context_type
        || PyTuple_GET_SIZE(context) != CONTEXT_FIELDS
        || PyTuple_GET_ITEM(context, CONTEXT_IS_VALID) != Py_True
        || !PyBool_Check(PyTuple_GET_ITEM(context, CONTEXT_IS_REMOTE))
        || !PyLong_CheckExact(PyTuple_GET_ITEM(context, CONTEXT_TRACE_ID))
        || !PyLong_Check(PyTuple_GET_ITEM(context, CONTEXT_FLAGS))) {
        return 0;
    }
    above->context = Py_NewRef(context);
    above->trace_id = Py_NewRef(PyTuple_GET_ITEM(context, CONTEXT_TRACE_ID));
    above->state = Py_NewRef(PyTuple_GET_ITEM(context, CONTEXT_STATE));
    above->flags = PyLong_AsLong(PyTuple_GET_ITEM(context, CONTEXT_FLAGS));
    above->is_remote = PyTuple_GET_ITEM(context, CONTEXT_IS_REMOTE) == Py_True;
    PyErr_Clear();
    return above->flags >= 0;
}

/* Reads what is above a span that is started in a context of the API. Returns whether that is usual,
 * -1 with an exception. */
static int
read_above(Above *above, PyObject *given)
{
    PyObject *around = NULL;
    if (given != Py_None) {
        around = Py_NewRef(given);
    } else if (PyContextVar_Get(known.context_variable, NULL, &around) != 0) {
        return -1;
    } else if (around == NULL) {
        return 0;
    }
    PyObject *current = NULL;
    int is_known = (PyObject *)Py_TYPE(around) == known.context_type;
    if (is_known) {
        current = Py_XNewRef(PyDict_GetItemWithError(around, known.span_key));
    }
    Py_DECREF(around);
    if (!is_known || (current == NULL && PyErr_Occurred())) {
        return is_known ? -1 : 0;
    }
    if (current == NULL || current == known.invalid_span) {
        above->context = Py_NewRef(Py_None);
    } else if (is_light(current) && ((LightSpan *)current)->is_plain) {
        LightSpan *span = (LightSpan *)current;
        above->trace_id = Py_NewRef(span->trace_id);
        above->state = Py_NewRef(span->state);
        above->flags = PyLong_AsLong(span->flags);
        PyErr_Clear();
        above->context = context_of(span);
        is_known = above->context == NULL ? -1 : above->flags >= 0;
    } else if ((PyObject *)Py_TYPE(current) == known.non_recording_type
               || (PyObject *)Py_TYPE(current) == known.sdk_span_type) {
        PyObject *context = PyObject_CallMethodNoArgs(current, names.get_span_context);
        is_known = context == NULL ? -1 : read_context(above, context);
        Py_XDECREF(context);
    } else {
        is_known = 0;
    }
    Py_XDECREF(current);
    return is_known;
}

#endif
