/*
 * test_json.c - the parser of JSON.
 *
 * The first tables follow the names of JSONTestSuite (Nicolas Seriot, "Parsing JSON is a minefield"): y_ must be taken,
 * n_ must be refused, and for i_, where the standard leaves a choice, ours is written down.
 */
#include "torture.h"

#include <math.h>
#include <stdio.h>

#include "base/value.h"

#define T(literal)                     \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

static const struct {
    const char *name;
    struct orch_str text;
    struct orch_str formatted;
} taken[] = {
    {"y_array_arraysWithSpaces", T("[[]   ]"), T("[[]]")},
    {"y_array_empty-string", T("[\"\"]"), T("[\"\"]")},
    {"y_array_empty", T("[]"), T("[]")},
    {"y_array_ending_with_newline", T("[\"a\"]\n"), T("[\"a\"]")},
    {"y_array_false", T("[false]"), T("[false]")},
    {"y_array_heterogeneous", T("[null, 1, \"1\", {}]"), T("[null,1,\"1\",{}]")},
    {"y_array_null", T("[null]"), T("[null]")},
    {"y_array_with_1_and_newline", T("[1\n]"), T("[1]")},
    {"y_array_with_leading_space", T(" [1]"), T("[1]")},
    {"y_array_with_several_null", T("[1,null,null,null,2]"), T("[1,null,null,null,2]")},
    {"y_array_with_trailing_space", T("[2] "), T("[2]")},
    {"y_number", T("[123e65]"), T("[1.23e67]")},
    {"y_number_0e+1", T("[0e+1]"), T("[0.0]")},
    {"y_number_0e1", T("[0e1]"), T("[0.0]")},
    {"y_number_after_space", T("[ 4]"), T("[4]")},
    {"y_number_double_close_to_zero",
     T("[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"), T("[-1e-78]")},
    {"y_number_int_with_exp", T("[20e1]"), T("[200.0]")},
    {"y_number_minus_zero", T("[-0]"), T("[-0.0]")},
    {"y_number_negative_int", T("[-123]"), T("[-123]")},
    {"y_number_negative_one", T("[-1]"), T("[-1]")},
    {"y_number_negative_zero", T("[-0.0]"), T("[-0.0]")},
    {"y_number_real_capital_e", T("[1E22]"), T("[1e22]")},
    {"y_number_real_capital_e_neg_exp", T("[1E-2]"), T("[0.01]")},
    {"y_number_real_capital_e_pos_exp", T("[1E+2]"), T("[100.0]")},
    {"y_number_real_exponent", T("[123e45]"), T("[1.23e47]")},
    {"y_number_real_fraction_exponent", T("[123.456e78]"), T("[1.23456e80]")},
    {"y_number_real_neg_exp", T("[1e-2]"), T("[0.01]")},
    {"y_number_real_pos_exponent", T("[1e+2]"), T("[100.0]")},
    {"y_number_simple_int", T("[123]"), T("[123]")},
    {"y_number_simple_real", T("[123.456789]"), T("[123.456789]")},
    {"y_object", T("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), T("{\"asd\":\"sdf\",\"dfg\":\"fgh\"}")},
    {"y_object_basic", T("{\"asd\":\"sdf\"}"), T("{\"asd\":\"sdf\"}")},
    {"y_object_empty", T("{}"), T("{}")},
    {"y_object_empty_key", T("{\"\":0}"), T("{\"\":0}")},
    {"y_object_escaped_null_in_key", T("{\"foo\\u0000bar\": 42}"), T("{\"foo\\u0000bar\":42}")},
    {"y_object_extreme_numbers", T("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"), T("{\"min\":-1e28,\"max\":1e28}")},
    {"y_object_simple", T("{\"a\":[]}"), T("{\"a\":[]}")},
    {"y_object_string_unicode", T("{\"title\":\"\\u041f\\u043e\" }"), T("{\"title\":\"\xd0\x9f\xd0\xbe\"}")},
    {"y_object_with_newlines", T("{\n\"a\": \"b\"\n}"), T("{\"a\":\"b\"}")},
    {"y_string_1_2_3_bytes_UTF-8_sequences", T("[\"\\u0060\\u012a\\u12AB\"]"), T("[\"`\xc4\xaa\xe1\x8a\xab\"]")},
    {"y_string_accepted_surrogate_pair", T("[\"\\uD801\\udc37\"]"), T("[\"\xf0\x90\x90\xb7\"]")},
    {"y_string_accepted_surrogate_pairs", T("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
     T("[\"\xf0\x9f\x98\xb9\xf0\x9f\x92\x8d\"]")},
    {"y_string_allowed_escapes", T("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), T("[\"\\\"\\\\/\\b\\f\\n\\r\\t\"]")},
    {"y_string_backslash_and_u_escaped_zero", T("[\"\\\\u0000\"]"), T("[\"\\\\u0000\"]")},
    {"y_string_backslash_doublequotes", T("[\"\\\"\"]"), T("[\"\\\"\"]")},
    {"y_string_comments", T("[\"a/*b*/c/*d//e\"]"), T("[\"a/*b*/c/*d//e\"]")},
    {"y_string_double_escape_a", T("[\"\\\\a\"]"), T("[\"\\\\a\"]")},
    {"y_string_double_escape_n", T("[\"\\\\n\"]"), T("[\"\\\\n\"]")},
    {"y_string_escaped_control_character", T("[\"\\u0012\"]"), T("[\"\\u0012\"]")},
    {"y_string_escaped_noncharacter", T("[\"\\uFFFF\"]"), T("[\"\xef\xbf\xbf\"]")},
    {"y_string_in_array", T("[\"asd\"]"), T("[\"asd\"]")},
    {"y_string_last_surrogates_1_and_2", T("[\"\\uDBFF\\uDFFF\"]"), T("[\"\xf4\x8f\xbf\xbf\"]")},
    {"y_string_nbsp_uescaped", T("[\"new\\u00A0line\"]"), T("[\"new\xc2\xa0line\"]")},
    {"y_string_nonCharacterInUTF-8_U+10FFFF", T("[\"\xf4\x8f\xbf\xbf\"]"), T("[\"\xf4\x8f\xbf\xbf\"]")},
    {"y_string_nonCharacterInUTF-8_U+FFFF", T("[\"\xef\xbf\xbf\"]"), T("[\"\xef\xbf\xbf\"]")},
    {"y_string_null_escape", T("[\"\\u0000\"]"), T("[\"\\u0000\"]")},
    {"y_string_one-byte-utf-8", T("[\"\\u002c\"]"), T("[\",\"]")},
    {"y_string_pi", T("[\"\xcf\x80\"]"), T("[\"\xcf\x80\"]")},
    {"y_string_simple_ascii", T("[\"asd \"]"), T("[\"asd \"]")},
    {"y_string_space", T("\" \""), T("\" \"")},
    {"y_string_surrogates_U+1D11E", T("[\"\\uD834\\uDd1e\"]"), T("[\"\xf0\x9d\x84\x9e\"]")},
    {"y_string_three-byte-utf-8", T("[\"\\u0821\"]"), T("[\"\xe0\xa0\xa1\"]")},
    {"y_string_two-byte-utf-8", T("[\"\\u0123\"]"), T("[\"\xc4\xa3\"]")},
    {"y_string_u+2028_line_sep", T("[\"\xe2\x80\xa8\"]"), T("[\"\xe2\x80\xa8\"]")},
    {"y_string_uEscape", T("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"), T("[\"a\xe3\x82\xaf\xe3\x83\xaa\xe3\x82\xb9\"]")},
    {"y_string_unescaped_char_delete", T("[\"\x7f\"]"), T("[\"\x7f\"]")},
    {"y_string_unicode_U+200B", T("[\"\\u200B\"]"), T("[\"\xe2\x80\x8b\"]")},
    {"y_string_utf8", T("[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]"), T("[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]")},
    {"y_structure_lonely_false", T("false"), T("false")},
    {"y_structure_lonely_int", T("42"), T("42")},
    {"y_structure_lonely_negative_real", T("-0.1"), T("-0.1")},
    {"y_structure_lonely_null", T("null"), T("null")},
    {"y_structure_lonely_string", T("\"asd\""), T("\"asd\"")},
    {"y_structure_lonely_true", T("true"), T("true")},
    {"y_structure_string_empty", T("\"\""), T("\"\"")},
    {"y_structure_trailing_newline", T("[\"a\"]\n"), T("[\"a\"]")},
    {"y_structure_true_in_array", T("[true]"), T("[true]")},
    {"y_structure_whitespace_array", T(" \t\r\n[ \t\r\n] \t\r\n"), T("[]")},
    /* Where there is a choice: numbers are kept exactly, whatever their size. */
    {"i_number_double_huge_neg_exp", T("[123.456e-789]"), T("[123.456e-789]")},
    {"i_number_huge_exp", T("[0.4e00669999999999999999999999999999999999999999999999999999999999]"),
     T("[0.4e00669999999999999999999999999999999999999999999999999999999999]")},
    {"i_number_neg_int_huge_exp", T("[-1e+9999]"), T("[-1e+9999]")},
    {"i_number_pos_double_huge_exp", T("[1.5e+9999]"), T("[1.5e+9999]")},
    {"i_number_real_underflow", T("[123e-10000000]"), T("[123e-10000000]")},
    {"i_number_too_big_neg_int", T("[-123123123123123123123123123123]"), T("[-123123123123123123123123123123]")},
    {"i_number_too_big_pos_int", T("[100000000000000000001]"), T("[100000000000000000001]")},
    {"i_number_very_big_negative_int", T("[-237462374673276894279832749832423479823246327846]"),
     T("[-237462374673276894279832749832423479823246327846]")},
    {"i_number_zero_huge_exp", T("[0e9999999999999999999]"), T("[0.0]")},
    {"i_structure_depth_64",
     T("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
       "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
     T("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
       "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]")},
};

static const struct {
    const char *name;
    struct orch_str text;
} refused[] = {
    {"n_array_1_true_without_comma", T("[1 true]")},
    {"n_array_a_invalid_utf8", T("[a\xe5]")},
    {"n_array_colon_instead_of_comma", T("[\"\": 1]")},
    {"n_array_comma_after_close", T("[\"\"],")},
    {"n_array_comma_and_number", T("[,1]")},
    {"n_array_double_comma", T("[1,,2]")},
    {"n_array_double_extra_comma", T("[\"x\",,]")},
    {"n_array_extra_close", T("[\"x\"]]")},
    {"n_array_extra_comma", T("[\"\",]")},
    {"n_array_incomplete", T("[\"x\"")},
    {"n_array_incomplete_invalid_value", T("[x")},
    {"n_array_inner_array_no_comma", T("[3[4]]")},
    {"n_array_invalid_utf8", T("[\xff]")},
    {"n_array_items_separated_by_semicolon", T("[1:2]")},
    {"n_array_just_comma", T("[,]")},
    {"n_array_just_minus", T("[-]")},
    {"n_array_missing_value", T("[   , \"\"]")},
    {"n_array_newlines_unclosed", T("[\"a\",\n4\n,1,")},
    {"n_array_number_and_comma", T("[1,]")},
    {"n_array_number_and_several_commas", T("[1,,]")},
    {"n_array_spaces_vertical_tab_formfeed", T("[\"\va\"\\f]")},
    {"n_array_star_inside", T("[*]")},
    {"n_array_unclosed", T("[\"\"")},
    {"n_array_unclosed_trailing_comma", T("[1,")},
    {"n_array_unclosed_with_new_lines", T("[1,\n1\n,1")},
    {"n_array_unclosed_with_object_inside", T("[{}")},
    {"n_array_mismatched", T("[1}")},
    {"n_incomplete_false", T("[fals]")},
    {"n_incomplete_null", T("[nul]")},
    {"n_incomplete_true", T("[tru]")},
    {"n_multidigit_number_then_00", T("123\0")},
    {"n_number_++", T("[++1234]")},
    {"n_number_+1", T("[+1]")},
    {"n_number_+Inf", T("[+Inf]")},
    {"n_number_-01", T("[-01]")},
    {"n_number_-1.0.", T("[-1.0.]")},
    {"n_number_-2.", T("[-2.]")},
    {"n_number_-NaN", T("[-NaN]")},
    {"n_number_.-1", T("[.-1]")},
    {"n_number_.2e-3", T("[.2e-3]")},
    {"n_number_0.1.2", T("[0.1.2]")},
    {"n_number_0.3e+", T("[0.3e+]")},
    {"n_number_0.3e", T("[0.3e]")},
    {"n_number_0.e1", T("[0.e1]")},
    {"n_number_0_capital_E+", T("[0E+]")},
    {"n_number_0_capital_E", T("[0E]")},
    {"n_number_0e+", T("[0e+]")},
    {"n_number_0e", T("[0e]")},
    {"n_number_1.0e+", T("[1.0e+]")},
    {"n_number_1.0e-", T("[1.0e-]")},
    {"n_number_1.0e", T("[1.0e]")},
    {"n_number_1_000", T("[1 000.0]")},
    {"n_number_1eE2", T("[1eE2]")},
    {"n_number_2.e+3", T("[2.e+3]")},
    {"n_number_2.e3", T("[2.e3]")},
    {"n_number_9.e+", T("[9.e+]")},
    {"n_number_Inf", T("[Inf]")},
    {"n_number_NaN", T("[NaN]")},
    {"n_number_U+FF11_fullwidth_digit_one", T("[\xef\xbc\x91]")},
    {"n_number_expression", T("[1+2]")},
    {"n_number_hex_1_digit", T("[0x1]")},
    {"n_number_infinity", T("[Infinity]")},
    {"n_number_invalid+-", T("[0e+-1]")},
    {"n_number_invalid-negative-real", T("[-123.123foo]")},
    {"n_number_invalid-utf-8-in-bigger-int", T("[123\xe5]")},
    {"n_number_minus_infinity", T("[-Infinity]")},
    {"n_number_minus_sign_with_trailing_garbage", T("[-foo]")},
    {"n_number_minus_space_1", T("[- 1]")},
    {"n_number_neg_int_starting_with_zero", T("[-012]")},
    {"n_number_neg_real_without_int_part", T("[-.123]")},
    {"n_number_neg_with_garbage_at_end", T("[-1x]")},
    {"n_number_real_garbage_after_e", T("[1ea]")},
    {"n_number_real_without_fractional_part", T("[1.]")},
    {"n_number_starting_with_dot", T("[.123]")},
    {"n_number_with_alpha", T("[1.2a-3]")},
    {"n_number_with_leading_zero", T("[012]")},
    {"n_object_bad_value", T("[\"x\", truth]")},
    {"n_object_bracket_key", T("{[: \"x\"}\n")},
    {"n_object_comma_instead_of_colon", T("{\"x\", null}")},
    {"n_object_double_colon", T("{\"x\"::\"b\"}")},
    {"n_object_emoji", T("{\xf0\x9f\x87\xa8\xf0\x9f\x87\xad}")},
    {"n_object_garbage_at_end", T("{\"a\":\"a\" 123}")},
    {"n_object_key_with_single_quotes", T("{key: 'value'}")},
    {"n_object_lone_continuation_byte_in_key_and_trailing_comma", T("{\"\xb9\":\"0\",}")},
    {"n_object_missing_colon", T("{\"a\" b}")},
    {"n_object_missing_key", T("{:\"b\"}")},
    {"n_object_missing_semicolon", T("{\"a\" \"b\"}")},
    {"n_object_missing_value", T("{\"a\":")},
    {"n_object_no-colon", T("{\"a\"")},
    {"n_object_non_string_key", T("{1:1}")},
    {"n_object_repeated_null_null", T("{null:null,null:null}")},
    {"n_object_several_trailing_commas", T("{\"id\":0,,,,,}")},
    {"n_object_single_quote", T("{'a':0}")},
    {"n_object_trailing_comma", T("{\"id\":0,}")},
    {"n_object_trailing_comment", T("{\"a\":\"b\"}/**/")},
    {"n_object_trailing_comment_slash_open", T("{\"a\":\"b\"}//")},
    {"n_object_two_commas_in_a_row", T("{\"a\":\"b\",,\"c\":\"d\"}")},
    {"n_object_unquoted_key", T("{a: \"b\"}")},
    {"n_object_unterminated-value", T("{\"a\":\"a")},
    {"n_object_with_single_string", T("{ \"foo\" : \"bar\", \"a\" }")},
    {"n_object_with_trailing_garbage", T("{\"a\":\"b\"}#")},
    {"n_object_mismatched", T("{\"a\":1]")},
    {"n_object_duplicated_key", T("{\"a\":\"b\",\"a\":\"c\"}")},
    {"n_object_duplicated_key_and_value", T("{\"a\":\"b\",\"a\":\"b\"}")},
    {"n_object_duplicated_key_by_escape", T("{\"a\":1,\"\\u0061\":2}")},
    {"n_single_space", T(" ")},
    {"n_string_1_surrogate_then_escape", T("[\"\\uD800\\\"]")},
    {"n_string_1_surrogate_then_escape_u", T("[\"\\uD800\\u\"]")},
    {"n_string_1_surrogate_then_escape_u1", T("[\"\\uD800\\u1\"]")},
    {"n_string_1_surrogate_then_escape_u1x", T("[\"\\uD800\\u1x\"]")},
    {"n_string_lone_high_surrogate", T("[\"\\uDADA\"]")},
    {"n_string_lone_low_surrogate", T("[\"\\uDd1e\"]")},
    {"n_string_high_surrogate_then_valid_escape", T("[\"\\uD888\\u1234\"]")},
    {"n_string_inverted_surrogates", T("[\"\\uDd1e\\uD834\"]")},
    {"n_string_high_surrogate_at_end_of_text", T("\"\\ud800")},
    {"n_string_accentuated_char_no_quotes", T("[\xc3\xa9]")},
    {"n_string_backslash_00", T("[\"\\\0\"]")},
    {"n_string_escape_x", T("[\"\\x00\"]")},
    {"n_string_escaped_backslash_bad", T("[\"\\\\\\\"]")},
    {"n_string_escaped_ctrl_char_tab", T("[\"\\\t\"]")},
    {"n_string_escaped_emoji", T("[\"\\\xf0\x9f\x8c\x80\"]")},
    {"n_string_incomplete_escape", T("[\"\\\"]")},
    {"n_string_incomplete_escaped_character", T("[\"\\u00A\"]")},
    {"n_string_incomplete_surrogate", T("[\"\\uD834\\uDd\"]")},
    {"n_string_invalid-utf-8-in-escape", T("[\"\\u\xe5\"]")},
    {"n_string_invalid_backslash_esc", T("[\"\\a\"]")},
    {"n_string_invalid_unicode_escape", T("[\"\\uqqqq\"]")},
    {"n_string_invalid_utf8_after_escape", T("[\"\\\xe5\"]")},
    {"n_string_leading_uescaped_thinspace", T("[\\u0020\"asd\"]")},
    {"n_string_no_quotes_with_bad_escape", T("[\\n]")},
    {"n_string_single_doublequote", T("\"")},
    {"n_string_single_quote", T("['single quote']")},
    {"n_string_start_escape_unclosed", T("[\"\\")},
    {"n_string_unescaped_ctrl_char", T("[\"a\0a\"]")},
    {"n_string_unescaped_newline", T("[\"new\nline\"]")},
    {"n_string_unescaped_tab", T("[\"\t\"]")},
    {"n_string_unicode_CapitalU", T("\"\\UA66D\"")},
    {"n_string_with_trailing_garbage", T("\"\"x")},
    {"n_string_utf8_surrogate_U+D800", T("[\"\xed\xa0\x80\"]")},
    {"n_string_overlong_sequence_2_bytes", T("[\"\xc0\xaf\"]")},
    {"n_string_overlong_sequence_6_bytes", T("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]")},
    {"n_string_not_in_unicode_range", T("[\"\xf4\xbf\xbf\xbf\"]")},
    {"n_string_truncated-utf-8", T("[\"\xe0\xff\"]")},
    {"n_string_truncated_at_end", T("\"\xe2\x82")},
    {"n_string_iso_latin_1", T("[\"\xe9\"]")},
    {"n_string_utf16", T("\xff\xfe[\0\"\0\xe9\0\"\0]\0")},
    {"n_structure_UTF8_BOM", T("\xef\xbb\xbf[]")},
    {"n_structure_UTF8_BOM_no_data", T("\xef\xbb\xbf")},
    {"n_structure_incomplete_UTF8_BOM", T("\xef\xbb{}")},
    {"n_structure_angle_bracket_.", T("<.>")},
    {"n_structure_array_trailing_garbage", T("[1]x")},
    {"n_structure_array_with_extra_array_close", T("[1]]")},
    {"n_structure_array_with_unclosed_string", T("[\"asd]")},
    {"n_structure_capitalized_True", T("[True]")},
    {"n_structure_close_unopened_array", T("1]")},
    {"n_structure_comma_instead_of_closing_brace", T("{\"x\": true,")},
    {"n_structure_double_array", T("[][]")},
    {"n_structure_end_array", T("]")},
    {"n_structure_lone-open-bracket", T("[")},
    {"n_structure_no_data", T("")},
    {"n_structure_null-byte-outside-string", T("[\0]")},
    {"n_structure_null-byte-at-end", T("[1]\0")},
    {"n_structure_number_with_trailing_garbage", T("2@")},
    {"n_structure_object_followed_by_closing_object", T("{}}")},
    {"n_structure_object_with_comment", T("{\"a\":/*comment*/\"b\"}")},
    {"n_structure_object_with_trailing_garbage", T("{\"a\": true} \"x\"")},
    {"n_structure_open_array_apostrophe", T("['")},
    {"n_structure_open_array_comma", T("[,")},
    {"n_structure_open_array_open_object", T("[{")},
    {"n_structure_open_array_string", T("[\"a")},
    {"n_structure_open_object", T("{")},
    {"n_structure_open_object_close_array", T("{]")},
    {"n_structure_open_object_comma", T("{,")},
    {"n_structure_open_object_open_string", T("{\"a")},
    {"n_structure_open_open", T("[\"\\{[\"\\{[\"\\{[\"\\{")},
    {"n_structure_single_star", T("*")},
    {"n_structure_uescaped_LF_before_string", T("[\\u000A\"\"]")},
    {"n_structure_unclosed_array_unfinished_false", T("[ false, fals")},
    {"n_structure_unicode-identifier", T("\xc3\xa5")},
    {"n_structure_whitespace_U+2060_word_joiner", T("[\xe2\x81\xa0]")},
    {"n_structure_whitespace_formfeed", T("[\f]")},
    {"n_structure_whitespace_vertical_tab", T("[\v]")},
    {"n_structure_whitespace_nbsp", T("[\xc2\xa0]")},
    {"n_structure_literals_run_together", T("truefalse")},
};

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        struct orch_str text = exact_copy(taken[i].text.data, taken[i].text.size);
        struct arena arena;
        arena_init(&arena, NULL, 0);
        struct value v;
        struct orch_error err = ORCH_ERROR_INIT;
        if (json_parse(text, NULL, &arena, &v, &err) != 0) fail_msg("%s: %s", taken[i].name, err.message);
        assert_int_equal(err.code, 0);
        struct buf buf;
        buf_init(&buf, NULL, 0);
        json_format(v, 0, &buf);
        assert_false(buf.failed);
        if (!str_equal(buf_str(&buf), taken[i].formatted)) fail_msg("%s: became %s", taken[i].name, buf.data);
        buf_done(&buf);
        arena_done(&arena);
        free((void *)(uintptr_t)text.data);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct orch_str text = exact_copy(refused[i].text.data, refused[i].text.size);
        struct arena arena;
        arena_init(&arena, NULL, 0);
        struct value v = value_int(77);
        struct orch_error err = ORCH_ERROR_INIT;
        if (json_parse(text, NULL, &arena, &v, &err) != ORCH_ERR_INVALID) fail_msg("%s was taken", refused[i].name);
        assert_int_equal(json_parse(text, NULL, &arena, &v, NULL), ORCH_ERR_INVALID);
        assert_int_equal(v.integer, 77);
        assert_int_equal(err.code, ORCH_ERR_INVALID);
        assert_true(err.line > 0 && err.column > 0);
        assert_true(utf8_is_valid(str_from(err.message), NULL));
        arena_done(&arena);
        free((void *)(uintptr_t)text.data);
    }
}

/* Every beginning of a text that is not the whole is refused, and read no further than it goes. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\\u00e9\\ud83d\\ude00\": [1, -2.5e+10, \"x\xe2\x82\xac\", true, false, null, {}, "
                               "[{\"b\": [], \"c\": 18446744073709551616}]], \"d\": \"a longer text for the eight\" }";
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t size = 0; size < sizeof(text); size++) {
        struct orch_str cut = exact_copy(text, size);
        struct value v;
        assert_int_equal(json_parse(cut, NULL, &arena, &v, NULL), size == sizeof(text) - 1 ? 0 : ORCH_ERR_INVALID);
        free((void *)(uintptr_t)cut.data);
    }
    /* Each byte changed to each of some others: taken or refused, but nothing worse, and what is taken formats. */
    static const char others[] = "\0\n\"\\[]{},:0-.e/u\x80\xc3\xff ";
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        for (size_t i = 0; i < sizeof(others) - 1; i++) {
            struct orch_str changed = exact_copy(text, sizeof(text) - 1);
            ((char *)(uintptr_t)changed.data)[at] = others[i];
            struct value v;
            if (json_parse(changed, NULL, &arena, &v, NULL) == 0) {
                struct buf buf;
                buf_init(&buf, NULL, 0);
                json_format(v, 2, &buf);
                struct value again;
                assert_int_equal(json_parse(buf_str(&buf), NULL, &arena, &again, NULL), 0);
                assert_true(value_equal(v, again));
                buf_done(&buf);
            }
            free((void *)(uintptr_t)changed.data);
        }
    }
    arena_done(&arena);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum value_kind kind;
        int64_t i;
        uint64_t u;
        double d;
    } rows[] = {
        {"0", VALUE_INT, 0, 0, 0},
        {"-0", VALUE_DOUBLE, 0, 0, -0.0},
        {"-1", VALUE_INT, -1, 0, 0},
        {"9223372036854775807", VALUE_INT, INT64_MAX, 0, 0},
        {"9223372036854775808", VALUE_UINT, 0, UINT64_C(9223372036854775808), 0},
        {"18446744073709551615", VALUE_UINT, 0, UINT64_MAX, 0},
        {"18446744073709551616", VALUE_NUMBER, 0, 0, 0},
        {"18446744073709551620", VALUE_NUMBER, 0, 0, 0},
        {"99999999999999999999", VALUE_NUMBER, 0, 0, 0},
        {"-9223372036854775808", VALUE_INT, INT64_MIN, 0, 0},
        {"-9223372036854775809", VALUE_NUMBER, 0, 0, 0},
        {"-18446744073709551615", VALUE_NUMBER, 0, 0, 0},
        {"100000000000000000000", VALUE_DOUBLE, 0, 0, 1e20}, /* the same decimal back: exact */
        {"1.0", VALUE_DOUBLE, 0, 0, 1},
        {"1e2", VALUE_DOUBLE, 0, 0, 100},
        {"0.1", VALUE_DOUBLE, 0, 0, 0.1},
        {"0.10", VALUE_DOUBLE, 0, 0, 0.1},
        {"0.1000000000000000000000000000", VALUE_DOUBLE, 0, 0, 0.1},
        {"0.10000000000000001", VALUE_NUMBER, 0, 0, 0},
        {"0.30000000000000004", VALUE_DOUBLE, 0, 0, 0.30000000000000004},
        {"123456789.12345678", VALUE_DOUBLE, 0, 0, 123456789.12345678},
        {"123456789.123456789", VALUE_NUMBER, 0, 0, 0},
        {"1e22", VALUE_DOUBLE, 0, 0, 1e22},
        {"1e23", VALUE_DOUBLE, 0, 0, 1e23},
        {"1e308", VALUE_DOUBLE, 0, 0, 1e308},
        {"1.7976931348623157e308", VALUE_DOUBLE, 0, 0, 1.7976931348623157e308},
        {"1e309", VALUE_NUMBER, 0, 0, 0},
        {"1e999", VALUE_NUMBER, 0, 0, 0},
        {"1e-999", VALUE_NUMBER, 0, 0, 0},
        {"5e-324", VALUE_DOUBLE, 0, 0, 5e-324},
        {"4.9e-324", VALUE_NUMBER, 0, 0, 0},
        {"2e-324", VALUE_NUMBER, 0, 0, 0},
        {"0e999", VALUE_DOUBLE, 0, 0, 0},
        {"-0e-999", VALUE_DOUBLE, 0, 0, -0.0},
        {"0.00000000000000000000000000000000000001", VALUE_DOUBLE, 0, 0, 1e-38},
        {"1000000000000000000000e-21", VALUE_DOUBLE, 0, 0, 1},
        {"0.000001000000e6", VALUE_DOUBLE, 0, 0, 1},
    };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct orch_str text = exact_copy(rows[i].text, strlen(rows[i].text));
        struct value v;
        assert_int_equal(json_parse(text, NULL, &arena, &v, NULL), 0);
        if (v.kind != rows[i].kind) fail_msg("%s is a %s", rows[i].text, value_kind_name(v));
        switch (rows[i].kind) {
        case VALUE_INT: assert_true(v.integer == rows[i].i); break;
        case VALUE_UINT: assert_true(v.uinteger == rows[i].u); break;
        case VALUE_DOUBLE: assert_true(v.real == rows[i].d && !signbit(v.real) == !signbit(rows[i].d)); break;
        default: assert_str(value_str(v), rows[i].text); break;
        }
        free((void *)(uintptr_t)text.data);
    }
    arena_done(&arena);
}

static void test_places_and_messages(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *message, *hint;
    } rows[] = {
        {"", 1, 1, "the text ends where a value is expected", ""},
        {"[1,\n 2,\n x]", 3, 2, "expected a value, found 'x'", ""},
        {"{\"a\": 1,\n \"\xc3\xa9\xe2\x82\xac\": x}", 2, 8, "expected a value, found 'x'", ""},
        {"[1 \xe2\x82\xac]", 1, 4, "expected ',' or ']', found '\xe2\x82\xac'", ""},
        {"{\"a\" 1}", 1, 6, "expected ':', found '1'", ""},
        {"{'a': 1}", 1, 2, "expected a key in double quotes, found '''", "JSON strings stand in double quotes"},
        {"{\"a\": 1,\n\n  \"b\": [\",\\\"\", {\"x\":1}], \"a\": 2}", 3, 26, "the key \"a\" occurs twice", ""},
        {"[1,2,]", 1, 5, "a comma with nothing behind it", "take the last comma away"},
        {"[1] // x", 1, 5, "expected the end of the text, found '/'", "JSON has no comments"},
        {"\xef\xbb\xbf{}", 1, 1, "the text starts with a byte order mark",
         "save it as UTF-8 without a byte order mark"},
        {"\"a\nb\"", 1, 3, "a string holds the control character U+000A", "write it as an escape, such as \\n"},
        {"  \"abc", 1, 3, "a string is not closed", ""},
        {"[\"\xc3\xa9\\ud800x\"]", 1, 4, "a high surrogate without a low one behind it", ""},
        {"[\"\\udc00\"]", 1, 3, "a low surrogate without a high one before it", ""},
        {"[\"\\q\"]", 1, 3, "unknown escape in a string", ""},
        {"[\"\\u12\"]", 1, 3, "\\u needs four hexadecimal digits", ""},
        {"[\"\xff\"]", 1, 3, "invalid UTF-8", ""},
        {"[\xff]", 1, 2, "invalid UTF-8", ""},
        {"[\x01]", 1, 2, "expected a value, found character U+0001", ""},
        {"[01]", 1, 2, "a number starts with a superfluous 0", ""},
        {"[1.]", 1, 4, "expected a digit, found ']'", ""},
    };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct value v;
        struct orch_error err = ORCH_ERROR_INIT;
        assert_int_equal(json_parse(str_from(rows[i].text), NULL, &arena, &v, &err), ORCH_ERR_INVALID);
        assert_string_equal(err.message, rows[i].message);
        assert_string_equal(err.hint, rows[i].hint);
        assert_int_equal(err.line, rows[i].line);
        assert_int_equal(err.column, rows[i].column);
    }
    arena_done(&arena);
}

static void test_limits(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct value v;
    struct orch_error err = ORCH_ERROR_INIT;
    size_t size = 1000000;
    char *bomb = malloc(size);
    memset(bomb, '[', size);
    assert_int_equal(json_parse(str_of(bomb, size), NULL, &arena, &v, &err), ORCH_ERR_LIMIT);
    assert_string_equal(err.message, "nested deeper than 64 levels");
    assert_int_equal(err.column, 65);
    for (size_t i = 0; i + 5 <= size; i += 5) memcpy(bomb + i, "{\"a\":", 5);
    assert_int_equal(json_parse(str_of(bomb, size), NULL, &arena, &v, &err), ORCH_ERR_LIMIT);
    /* As deep as can be asked for: no recursion in the parser, and the formatter and the copy get through. */
    struct json_limits deep = {.depth_max = UINT32_MAX};
    memset(bomb, '[', 10000);
    memset(bomb + 10000, ']', 10000);
    assert_int_equal(json_parse(str_of(bomb, 20000), &deep, &arena, &v, &err), 0);
    struct buf buf;
    buf_init(&buf, NULL, 0);
    json_format(v, 0, &buf);
    assert_true(str_equal(buf_str(&buf), str_of(bomb, 20000)));
    struct value copy;
    assert_int_equal(value_copy(v, &arena, &copy), 0);
    assert_true(value_equal(v, copy));
    v = value_list(&copy, 1);
    buf_clear(&buf);
    json_format(v, 0, &buf);
    assert_true(buf.failed);
    buf_done(&buf);
    memset(bomb, '[', size);
    assert_int_equal(json_parse(str_of(bomb, size), &deep, &arena, &v, &err), ORCH_ERR_LIMIT);
    free(bomb);

    static const struct {
        const char *text;
        uint32_t depth_max, nodes_max;
        int result;
    } rows[] = {
        {"1", 1, 1, 0},
        {"[]", 1, 1, 0},
        {"[[]]", 1, 100, ORCH_ERR_LIMIT},
        {"[[]]", 2, 2, 0},
        {"[[],{}]", 2, 3, 0},
        {"[1,2,3]", 5, 4, 0},
        {"[1,2,3]", 5, 3, ORCH_ERR_LIMIT},
        {"{\"a\":1,\"b\":2}", 5, 3, 0}, /* keys are not counted */
        {"{\"a\":1,\"b\":2}", 5, 2, ORCH_ERR_LIMIT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_limits limits = {rows[i].depth_max, rows[i].nodes_max};
        assert_int_equal(json_parse(str_from(rows[i].text), &limits, &arena, &v, &err), rows[i].result);
    }
    assert_int_equal(json_parse(str_of("x", (size_t)UINT32_MAX + 1), NULL, &arena, &v, &err), ORCH_ERR_LIMIT);
    arena_done(&arena);
}

/* Strings of all sizes, with something special at each place, so that every path of the eight-byte scan is walked. */
static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *written, *read;
    } special[] = {
        {"", ""},
        {"\\n", "\n"},
        {"\\u0041", "A"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"\\\"", "\""},
        {"\\\\", "\\"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\x7f", "\x7f"},
        {"!", "!"},
        {"#", "#"},
        {"[", "["},
        {"]", "]"},
        {" ", " "},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
    };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t s = 0; s < COUNT(special); s++) {
        for (size_t before = 0; before < 20; before++) {
            for (size_t after = 0; after < 20; after++) {
                char written[64] = "\"";
                char expected[64] = "";
                for (size_t i = 0; i < before; i++) strcat(written, "a"), strcat(expected, "a");
                strcat(written, special[s].written), strcat(expected, special[s].read);
                for (size_t i = 0; i < after; i++) strcat(written, "z"), strcat(expected, "z");
                strcat(written, "\"");
                struct orch_str text = exact_copy(written, strlen(written));
                struct value v;
                assert_int_equal(json_parse(text, NULL, &arena, &v, NULL), 0);
                assert_str(value_str(v), expected);
                /* Borrowed unless there was an escape. */
                assert_int_equal(v.text == text.data + 1, strchr(special[s].written, '\\') == NULL);
                free((void *)(uintptr_t)text.data);
            }
        }
        arena_clear(&arena);
    }
    arena_done(&arena);
}

static void test_many_members(void **state)
{
    (void)state;
    /* Counts around the change from looking to hashing, and large. */
    static const unsigned counts[] = {0, 1, 7, 8, 9, 10, 100, 3000, 100000};
    for (size_t c = 0; c < COUNT(counts); c++) {
        struct buf buf;
        buf_init(&buf, NULL, 0);
        buf_add_char(&buf, '{');
        for (unsigned i = 0; i < counts[c]; i++) buf_printf(&buf, "%s\"key%u\":%u", i ? "," : "", i, i);
        buf_add_char(&buf, '}');
        struct arena arena;
        arena_init(&arena, NULL, 0);
        struct value v;
        assert_int_equal(json_parse(buf_str(&buf), NULL, &arena, &v, NULL), 0);
        assert_int_equal(v.size, counts[c]);
        for (unsigned i = 0; i < counts[c]; i++) {
            char key[32];
            snprintf(key, sizeof(key), "key%u", i);
            const struct value *member = value_get(v, str_from(key));
            if (!member || member->integer != i) fail_msg("%s is lost", key);
        }
        assert_null(value_get(v, STR("key")));
        struct buf formatted;
        buf_init(&formatted, NULL, 0);
        json_format(v, 0, &formatted);
        assert_true(str_equal(buf_str(&buf), buf_str(&formatted))); /* the order stays */
        buf_done(&formatted);
        if (counts[c]) {
            buf.size--;
            buf_printf(&buf, ",\"key%u\":0}", counts[c] / 2);
            assert_int_equal(json_parse(buf_str(&buf), NULL, &arena, &v, NULL), ORCH_ERR_INVALID);
        }
        buf_done(&buf);
        arena_done(&arena);
    }
}

static bool use_json(const struct orch_allocator *allocator)
{
    struct arena arena;
    arena_init(&arena, allocator, 0);
    struct buf buf;
    buf_init(&buf, NULL, 0);
    buf_add_char(&buf, '[');
    for (int i = 0; i < 500; i++) {
        buf_printf(&buf, "{\"a\\n%d\": [1, \"x\\ty\"], \"b\": {\"c\": 1, \"d\": 2}},", i);
    }
    buf_add_text(&buf, "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1}]");
    struct value v = value_int(77);
    struct orch_error err = ORCH_ERROR_INIT;
    size_t before = arena.size;
    int r = json_parse(buf_str(&buf), NULL, &arena, &v, &err);
    assert_true(r == 0 || r == ORCH_ERR_NO_MEMORY);
    assert_int_equal(err.code, r);
    if (r < 0) {
        assert_int_equal(v.integer, 77);
        assert_true(arena.size <= before + 4096); /* given back but for a block to go on with */
    }
    if (r == 0) assert_int_equal(v.size, 501);
    arena_done(&arena);
    buf_done(&buf);
    return r == 0;
}

static void test_memory_short(void **state)
{
    (void)state;
    torture_all(use_json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_places_and_messages),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
